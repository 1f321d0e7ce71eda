#!/bin/sh
# Install Chaperone into an image's root, beside a Debian 12 with the packages of ROLE.packages.
# Usage: fill-root.sh agent|collector PYTHON ROOT. PYTHON has pip; ROOT is made if need be.
set -eu
role=$1
python=$2
root=$3
here=$(cd "$(dirname "$0")/.." && pwd)
packages=$root/usr/local/lib/python3.11/dist-packages # where Debian's Python looks, whichever Python we are
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT INT TERM
mkdir -p "$packages" "$root/usr/local/bin"

install() {
	"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --ignore-installed --upgrade --target "$packages" "$@"
}
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$wheels" "$here"
"$python" "$here/deploy/requirements.py" "$role" "$here/pyproject.toml" >"$wheels/requirements.txt"
install --requirement "$wheels/requirements.txt"
install --no-deps "$wheels"/kube_chaperone-*.whl
find "$root/usr/local" -name __pycache__ -prune -exec rm -r {} +
rm -rf "$packages/bin"

if [ "$role" = agent ]; then # what is privileged has nothing in it that it does not run
	rm -r "$packages/chaperone/collector"
	cp "$here/deploy/agent-command.sh" "$root/usr/local/bin/chaperone"
else
	printf '#!/usr/bin/python3\nfrom chaperone.collector.cli.start import main\n\nmain()\n' >"$root/usr/local/bin/chaperone"
fi
chmod 755 "$root/usr/local/bin/chaperone"
