#!/bin/sh
# Build an image without pulling one: a Debian by mmdebstrap, Chaperone by pip, an OCI archive by umoci and skopeo, an SBOM beside it.
# Usage: image.sh agent|collector PYTHON OUT. Import it with: ctr -n k8s.io images import OUT/chaperone-ROLE.tar
set -eu
role=$1
python=$2
out=$3
here=$(cd "$(dirname "$0")/.." && pwd)

case $role in
agent) set -- --config.user 0:0 --config.entrypoint /usr/bin/python3 --config.entrypoint -m --config.entrypoint chaperone.agent ;;
collector) set -- --config.user 65532:65532 --config.entrypoint /usr/local/bin/chaperone --config.entrypoint collector ;;
*)
	echo "image: $role is neither agent nor collector" >&2
	exit 2
	;;
esac
"$here/deploy/packages.sh" image mmdebstrap umoci skopeo

version=$("$python" -c 'import tomllib, sys; print(tomllib.load(open(sys.argv[1], "rb"))["project"]["version"])' "$here/pyproject.toml")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$out"

echo "image: installing Debian for the $role"
# Nobody reads manuals in there, and what apt and dpkg keep would only go stale.
mmdebstrap --quiet --variant=minbase --include="$(paste -sd, "$here/deploy/$role.packages")" \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt "$1"/var/log/*' \
	bookworm "$work/root"

echo "image: installing Chaperone"
"$here/deploy/fill-root.sh" "$role" "$python" "$work/root"

echo "image: packing"
umoci init --layout "$work/layout"
umoci new --image "$work/layout:$version"
umoci insert --image "$work/layout:$version" "$work/root" /
umoci config --image "$work/layout:$version" "$@" --config.env "PYTHONUNBUFFERED=1" \
	--config.label "org.opencontainers.image.title=chaperone-$role" --config.label "org.opencontainers.image.version=$version" \
	--config.label "org.opencontainers.image.licenses=Apache-2.0"
umoci gc --layout "$work/layout"
# The full name: containerd takes it as it stands, and a kubelet that is told `chaperone-agent:1` asks it for `docker.io/library/chaperone-agent:1`.
skopeo --override-os linux copy --quiet "oci:$work/layout:$version" "oci-archive:$out/chaperone-$role.tar:docker.io/library/chaperone-$role:$version"
"$python" "$here/deploy/sbom.py" "$role" "$version" "$work/root" >"$out/chaperone-$role.cdx.json"
"$here/deploy/try-root.sh" "$role" "$work/root"
echo "image: $out/chaperone-$role.tar, $(du -m "$out/chaperone-$role.tar" | cut -f1) MiB; ctr -n k8s.io images import $out/chaperone-$role.tar"
