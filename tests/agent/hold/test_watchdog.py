import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import sys, time
from chaperone.agent.hold.watchdog import Watchdog
watchdog = Watchdog(patience_s=1.0)
watchdog.beat()
{then}
"""


def run(then: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-c", PROGRAM.format(then=then)], timeout=60, check=False)


def test_one_that_hangs_is_killed() -> None:
    assert run("time.sleep(50)").returncode == -signal.SIGKILL


def test_one_that_is_frozen_is_killed() -> None:
    began = time.monotonic()
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)").returncode == -signal.SIGKILL
    assert time.monotonic() - began < 30


def test_one_that_beats_lives() -> None:
    assert run("for _ in range(25): watchdog.beat(); time.sleep(0.1)").returncode == 0


def test_who_closes_need_not_beat() -> None:
    assert run("watchdog.close(); time.sleep(2)").returncode == 0


def test_it_ends_with_whom_it_watches() -> None:
    said = subprocess.check_output([sys.executable, "-c", PROGRAM.format(then="print(watchdog._process.pid)")], timeout=60)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{int(said)}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
