#!/bin/sh
# Get a Kubernetes node into .cluster: containerd, runc, etcd and the like from Debian's packages, unpacked, not installed; Kubernetes,
# of which Debian has no servers, built from Debian's source of its client. Usage: make.sh DIR. Some five minutes on two processors.
set -eu
cluster=$(realpath -m "$1")
here=$(cd "$(dirname "$0")/../.." && pwd)
SOURCE=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc # sha256 of kubernetes 1.20.2, as Debian publishes it
PACKAGES="containerd runc etcd-server containernetworking-plugins iptables conntrack golang-1.19-go golang-1.19-src
	golang-github-modern-go-reflect2-dev golang-github-json-iterator-go-dev
	libip4tc2 libip6tc2 libxtables12 libnftnl11 libmnl0 libnfnetlink0 libnetfilter-conntrack3"

"$here/deploy/packages.sh" cluster gcc libc6-dev umoci skopeo curl
mkdir -p "$cluster/debs" "$cluster/root" "$cluster/bin" "$cluster/images"
cd "$cluster"
if ! [ -x root/usr/bin/containerd ]; then
	echo "cluster: fetching Debian's packages"
	# shellcheck disable=SC2086  # a list of words
	(cd debs && apt-get download -qq $PACKAGES 2>/dev/null)
	for package in debs/*.deb; do dpkg -x "$package" root; done
fi

go=$cluster/root/usr/lib/go-1.19/bin/go
source=$cluster/gopath/src/k8s.io/kubernetes
export GOPATH="$cluster/gopath" GOCACHE="$cluster/gocache" GOROOT="$cluster/root/usr/lib/go-1.19" GO111MODULE=off CGO_ENABLED=0
if ! [ -x bin/kubelet ]; then
	echo "cluster: fetching Kubernetes' source"
	client=$(apt-get download --print-uris kubernetes-client | cut -d"'" -f2)
	curl -sSf -o source.tar.gz "${client%/*}/kubernetes_1.20.5%2Breally1.20.2.orig.tar.gz"
	echo "$SOURCE  source.tar.gz" | sha256sum --check --quiet
	rm -rf "$source" && mkdir -p "$source"
	tar xzf source.tar.gz --strip-components=1 -C "$source"
	# What came with it of these can't iterate over maps with a Go of 1.18 or later.
	for name in modern-go/reflect2 json-iterator/go; do
		rm -rf "$source/vendor/github.com/$name"
		cp -r "root/usr/share/gocode/src/github.com/$name" "$source/vendor/github.com/$name"
	done
	cd "$source"
	echo "cluster: building Kubernetes"
	"$go" build -o "$cluster/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
	packages=$(grep -rlE '^// *\+k8s:openapi-gen=' --include='*.go' pkg cmd plugin staging/src/k8s.io | grep -vE '_test.go|sample-|code-generator|apiextensions-apiserver/examples|wardle|zz_gen' |
		xargs -n1 dirname | sort -u | sed 's#^staging/src/##; t; s#^#k8s.io/kubernetes/#' | paste -sd,)
	"$cluster/openapi-gen" --go-header-file hack/boilerplate/boilerplate.generatego.txt -h hack/boilerplate/boilerplate.generatego.txt \
		--output-file-base zz_generated.openapi -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi -r "$cluster/violations" >/dev/null
	version=k8s.io/kubernetes/vendor/k8s.io/component-base/version
	for program in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
		"$go" build -ldflags "-s -w -X $version.gitVersion=v1.20.2 -X $version.gitMajor=1 -X $version.gitMinor=20" \
			-o "$cluster/bin/$program" "./cmd/$program"
	done
	cd "$cluster"
fi

if ! [ -e images/pause.tar ]; then
	rm -rf pause && mkdir -p pause/root
	gcc -static -O2 -DVERSION=1 -o pause/root/pause "$source/build/pause/linux/pause.c"
	umoci init --layout pause/layout && umoci new --image pause/layout:1 && umoci insert --image pause/layout:1 pause/root /
	umoci config --image pause/layout:1 --config.entrypoint /pause
	skopeo copy -q oci:pause/layout:1 oci-archive:images/pause.tar:docker.io/local/pause:1
fi
