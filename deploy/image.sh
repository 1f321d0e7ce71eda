#!/bin/sh
# Build an image without pulling one: a Debian by mmdebstrap, Chaperone by pip, an OCI archive by umoci and skopeo, an SBOM beside it.
# Usage: image.sh agent|collector PYTHON OUT. Import it with: ctr -n k8s.io images import OUT/chaperone-ROLE.tar
set -eu
role=$1
python=$2
out=$3
here=$(cd "$(dirname "$0")/.." && pwd)

case $role in
agent) packages=python3-minimal,python3-bpfcc,libpython3-stdlib ;;
collector) packages=python3-minimal,libpython3-stdlib,ca-certificates ;;
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
mmdebstrap --quiet --variant=minbase --include="$packages" \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt "$1"/var/log/*' \
	bookworm "$work/root"

echo "image: installing Chaperone"
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work" "$here"
"$python" "$here/deploy/requirements.py" "$role" "$here/pyproject.toml" >"$work/requirements.txt"
install() { # as Debian's Python looks for it, whichever Python we are
	"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --ignore-installed --upgrade \
		--target "$work/root/usr/local/lib/python3.11/dist-packages" "$@"
}
install --requirement "$work/requirements.txt"
install --no-deps "$work"/kube_chaperone-*.whl
find "$work/root/usr/local" -name __pycache__ -prune -exec rm -r {} +
rm -rf "$work/root/usr/local/lib/python3.11/dist-packages/bin"
if [ "$role" = agent ]; then # what is privileged has nothing in it that it does not run
	rm -r "$work/root/usr/local/lib/python3.11/dist-packages/chaperone/collector"
	printf '#!/bin/sh\n# chaperone break-glass … on a node without the command; all else is the agent.\n' >"$work/root/usr/local/bin/chaperone"
	printf 'case $1 in break-glass) shift; exec python3 -m chaperone.agent.glass "$@" ;; esac\nexec python3 -m chaperone.agent "$@"\n' \
		>>"$work/root/usr/local/bin/chaperone"
	chmod 755 "$work/root/usr/local/bin/chaperone"
	set -- --config.user 0:0 --config.entrypoint /usr/bin/python3 --config.entrypoint -m --config.entrypoint chaperone.agent
else
	printf '#!/usr/bin/python3\nfrom chaperone.collector.cli.start import main\n\nmain()\n' >"$work/root/usr/local/bin/chaperone"
	chmod 755 "$work/root/usr/local/bin/chaperone"
	set -- --config.user 65532:65532 --config.entrypoint /usr/local/bin/chaperone --config.entrypoint collector
fi

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
