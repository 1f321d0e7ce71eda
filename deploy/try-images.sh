#!/bin/sh
# Do both images work together? The agent in the root of its image records a TLS request into the collector in the root of its own.
# Usage: try-images.sh OUT, where chaperone-agent.tar and chaperone-collector.tar are; as root. It takes a minute, most of it to unpack.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
out=$(cd "$1" && pwd)
"$here/deploy/packages.sh" image umoci skopeo openssl

work=$(mktemp -d)
group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)/chaperone-image-$$
# A mount namespace of our own: whatever is mounted ends with it.
tried=0
unshare --mount --propagation private sh -eu -c '
	out=$1 work=$2 group=$3
	end() {
		status=$?
		for process in ${agent:-} ${server:-} ${collector:-}; do
			kill "$process" 2>/dev/null || true
		done
		wait
		exit "$status"
	}
	trap end EXIT
	trap "exit 1" INT TERM
	for role in agent collector; do
		skopeo copy --quiet "oci-archive:$out/chaperone-$role.tar" "oci:$work/$role:image"
		umoci --log=error unpack --image "$work/$role:image" "$work/$role.bundle"
		root=$work/$role.bundle/rootfs
		mkdir -p "$work/shared"
		mount --bind "$root" "$root" # as the root of a container is a mount: what lies on no mount of its process is not probed
		mount -t proc proc "$root/proc"
		mount -t sysfs -o ro sysfs "$root/sys" # as a container has it: no tracefs in it
		mount -t tmpfs tmpfs "$root/tmp"
		mount --bind /dev "$root/dev"
		mkdir "$root/tmp/shared"
		mount --bind "$work/shared" "$root/tmp/shared"
	done
	inside=$work/agent.bundle/rootfs
	mount --rbind /sys/fs/cgroup "$inside/sys/fs/cgroup"
	chown 65532:65532 "$work/shared"
	mkdir "$group"
	mkfifo "$work/shared/collects" "$work/shared/records" "$work/shared/listens"
	chmod 666 "$work/shared/collects"
	exec 3<>"$work/shared/collects" 4<>"$work/shared/records" 5<>"$work/shared/listens"
	ask() {
		chroot --userspec=65532:65532 "$work/collector.bundle/rootfs" /usr/local/bin/chaperone "$@" --store /tmp/shared/store
	}
	chroot --userspec=65532:65532 "$work/collector.bundle/rootfs" /usr/local/bin/chaperone collector \
		--store /tmp/shared/store --ready-fd 3 --log-format json & # ask would make $! a shell, which ends alone
	collector=$!
	timeout 120 head -n 1 <&3
	chroot "$inside" /usr/bin/python3 -m chaperone.agent --cgroup "$group" --socket /tmp/shared/store/collector.sock \
		--spool /tmp/spool --ready-fd 4 --log-format json &
	agent=$!
	timeout 120 head -n 1 <&4

	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
		-keyout "$work/shared/tls.key" -out "$work/shared/tls.crt"
	cat >"$work/shared/server.py" <<-"END"
		"""Answers over TLS as an API server might, outside of what is governed."""

		import http.server
		import pathlib
		import ssl


		class Handler(http.server.BaseHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"

		    def do_GET(self):
		        self.send_response(200)
		        self.send_header("Content-Type", "application/json")
		        self.send_header("Content-Length", "2")
		        self.end_headers()
		        self.wfile.write(b"{}")


		server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain("/tmp/shared/tls.crt", "/tmp/shared/tls.key")
		server.socket = context.wrap_socket(server.socket, server_side=True)
		pathlib.Path("/tmp/shared/listens").write_text(f"{server.server_port}\n")
		server.serve_forever()
	END
	cat >"$work/shared/client.py" <<-"END"
		"""Asks it for a pod."""

		import http.client
		import ssl
		import sys

		context = ssl.create_default_context(cafile="/tmp/shared/tls.crt")
		client = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
		client.request("GET", "/api/v1/namespaces/image/pods/tried")
		print(client.getresponse().read().decode())
		client.close()
	END
	chroot "$inside" /usr/bin/python3 /tmp/shared/server.py &
	server=$!
	port=$(timeout 120 head -n 1 <&5)
	sh -eu -c "echo \$\$ >\"\$1/cgroup.procs\"; exec chroot \"\$2\" /usr/bin/python3 /tmp/shared/client.py \"\$3\"" sh "$group" "$inside" "$port"
	kill "$agent"
	wait "$agent"
	agent=
	ask sessions show latest | tee "$work/session"
	grep -q "^Complete: *yes" "$work/session"
	ask calls list -o json >"$work/calls.json"
	grep -q /api/v1/namespaces/image/pods/tried "$work/calls.json"
' sh "$out" "$work" "$group" || tried=$?
rmdir "$group" 2>/dev/null || true
rm -rf "$work"
[ "$tried" = 0 ] || {
	echo "image: the agent in its image recorded nothing into the collector in its own" >&2
	exit 1
}
echo "image: the agent in its image recorded a TLS request into the collector in its own"
