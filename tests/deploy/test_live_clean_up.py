"""The chart's clean-up on a real cgroup: with the rights that its container has, a dead agent's lock goes."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.chart import bounded, named, rendered
from support.kernel import cgroup, skip_without_kernel
from support.locking import HELLO, RECORD, dying_agent, talking

pytestmark = pytest.mark.kernel


def clean_up(path: Path, *without: str) -> "subprocess.CompletedProcess[str]":
    """The container's command about one cgroup, as it runs there but for the capabilities `without`."""
    (container,) = named(rendered({}), "DaemonSet", "chaperone-clean-up")["spec"]["template"]["spec"]["initContainers"]
    command = [*bounded(container, *without), sys.executable, "-m", "chaperone.agent", *container["args"], "--cgroup", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_an_agent_left_locked_speaks_again() -> None:
    skip_without_kernel()
    with cgroup() as path, talking(path) as talk:
        with dying_agent(path):
            talk.say(HELLO)
            talk.comes(HELLO)
        talk.say(RECORD)
        talk.nothing_comes()
        assert "run this as root" in clean_up(path, "SYS_ADMIN").stderr
        assert clean_up(path).stdout == '{"unlocked": 1}\n'
        talk.comes(RECORD)
        assert clean_up(path).stdout == '{"unlocked": 0}\n', "a second time is none too many"
