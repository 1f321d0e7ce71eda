#!/bin/sh
# Does an image's root do its work? Runs the agent's own check of the kernel, or a collector that serves, in it. Usage: try-root.sh ROLE ROOT
set -eu
role=$1
root=$2

# A mount namespace of our own: whatever is mounted ends with it.
exec unshare --mount --propagation private sh -eu -c '
	mount -t proc proc "$2/proc"
	mount -t sysfs -o ro sysfs "$2/sys" # as a container has it: no tracefs in it
	mount -t tmpfs tmpfs "$2/tmp"
	mount --bind /dev "$2/dev"
	if [ "$1" = agent ]; then
		mount --rbind /sys/fs/cgroup "$2/sys/fs/cgroup"
		chroot "$2" /usr/local/bin/chaperone doctor
		chroot "$2" /usr/local/bin/chaperone agent --check
		chroot "$2" /usr/local/bin/chaperone break-glass --help >/dev/null
		chroot "$2" /usr/bin/python3 -c "import chaperone.agent.health.front, chaperone.agent.health.port, chaperone.agent.health.speaker"
		test -x "$2/usr/bin/sleep" # what the chart leaves running where it has cleaned up
		echo "image: the agent finds all that it needs of this kernel"
		exit
	fi
	mkfifo "$2/tmp/ready"
	chmod 666 "$2/tmp/ready"
	chroot --userspec=65532:65532 "$2" sh -eu -c "
		exec 3<>/tmp/ready
		/usr/local/bin/chaperone collector --store /tmp/store --ready-fd 3 --exit-when-idle 1 &
		head -n 1 <&3
		/usr/local/bin/chaperone sessions list --store /tmp/store
		/usr/local/bin/chaperone removal nodes --help >/dev/null
		wait"
	echo "image: the collector serves as nobody, in a root that it cannot write"
' sh "$role" "$root"
