#!/bin/sh
# `chaperone` in the agent's image, which has no collector and so none of the command's other words.
case ${1-} in
break-glass)
	shift
	exec python3 -m chaperone.agent.glass "$@"
	;;
doctor)
	shift
	exec python3 -m chaperone.agent --check "$@"
	;;
agent)
	shift
	exec python3 -m chaperone.agent "$@"
	;;
*)
	echo "chaperone: here are break-glass, doctor and agent only; the rest is in the collector's image and where Chaperone was set up" >&2
	exit 2
	;;
esac
