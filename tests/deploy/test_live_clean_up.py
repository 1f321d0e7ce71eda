"""The chart's clean-up on a real cgroup: with the rights that its container has, a dead agent's lock goes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.chart import named, rendered
from support.kernel import cgroup, skip_without_kernel
from support.locking import HELLO, HOLDER, RECORD, talking

from chaperone.agent.hold.layout import STALE_NS

pytestmark = pytest.mark.kernel


def clean_up(path: Path, *without: str) -> "subprocess.CompletedProcess[str]":
    """The container's command about one cgroup, as it runs there but for the capabilities `without`."""
    (container,) = named(rendered({}), "DaemonSet", "chaperone-clean-up")["spec"]["template"]["spec"]["initContainers"]
    rights = [f"+{name.lower()}" for name in container["securityContext"]["capabilities"]["add"] if name not in without]
    bounded = ["setpriv", f"--bounding-set=-all,{','.join(rights)}", "--no-new-privs"]
    command = [*bounded, sys.executable, "-m", "chaperone.agent", *container["args"], "--cgroup", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_an_agent_left_locked_speaks_again() -> None:
    skip_without_kernel()
    with cgroup() as path, talking(path) as talk:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None and holder.stdout.readline() == "on\n"
        talk.say(HELLO)
        talk.comes(HELLO)
        holder.kill()
        holder.wait()
        holder.stdout.close()
        time.sleep(STALE_NS / 1e9 + 0.5)
        talk.say(RECORD)
        talk.nothing_comes()
        assert "run this as root" in clean_up(path, "SYS_ADMIN").stderr
        assert clean_up(path).stdout == '{"unlocked": 1}\n'
        talk.comes(RECORD)
        assert clean_up(path).stdout == '{"unlocked": 0}\n', "a second time is none too many"
