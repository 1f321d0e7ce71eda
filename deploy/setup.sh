#!/bin/sh
# Make a new Debian 12 machine able to run, demonstrate and test Chaperone. Usage: setup.sh PYTHON VENV
# bcc comes from Debian (PyPI's `bcc` is something else), so the venv sees the system's packages.
set -eu
python=$1
venv=$2

# Behind the first two: what the demo and the tests call (procps for pgrep; node, git and wget as clients), and what they build against.
packages="python3-bpfcc python3-venv curl openssl gcc libc6-dev procps strace nodejs git wget libssl-dev libgnutls28-dev"
missing=""
for package in $packages; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null; then
		echo "setup: this is not a Debian: install what corresponds to:$missing" >&2
		exit 1
	fi
	as_root=""
	if [ "$(id -u)" -ne 0 ]; then
		as_root=sudo
		command -v sudo >/dev/null || {
			echo "setup: as root, run: apt-get install$missing" >&2
			exit 1
		}
	fi
	echo "setup: installing$missing"
	$as_root apt-get update -qq
	# shellcheck disable=SC2086  # a list of words
	DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# Asked for pip: a venv whose making was interrupted has a python and nothing else.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --system-site-packages "$venv"
echo "setup: installing Python packages into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
"$venv/bin/chaperone" --version
