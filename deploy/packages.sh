#!/bin/sh
# Install the Debian packages that are not there yet, as root or by sudo. Usage: packages.sh WHO PACKAGE…; WHO begins each message
set -eu
who=$1
shift

missing=""
for package in "$@"; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "$who: this is not a Debian: install what corresponds to:$missing" >&2
	exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
	command -v sudo >/dev/null || {
		echo "$who: as root, run: apt-get install$missing" >&2
		exit 1
	}
fi
echo "$who: installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list of words
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
