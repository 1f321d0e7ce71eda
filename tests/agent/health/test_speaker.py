"""The process that speaks to itself, as it is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaperone.agent.health.certificate import in_memory, throwaway

GIVEN_UP = ("Uid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000", "NoNewPrivs:\t1")


@pytest.fixture
def certificate() -> Iterator[int]:
    descriptor = throwaway()
    yield descriptor
    os.close(descriptor)


def spoken(certificate: int, line: bytes) -> int:
    command = [sys.executable, "-m", "chaperone.agent.health.speaker", str(certificate)]
    return subprocess.run(command, input=line, pass_fds=(certificate,), stderr=subprocess.DEVNULL, timeout=60, check=False).returncode


def test_it_ends_well_when_each_has_heard_the_other(certificate: int) -> None:
    assert spoken(certificate, b"0123456789abcdef\n") == 0


def test_without_a_certificate_it_says_nothing() -> None:
    descriptor = in_memory(b"no certificate")
    assert spoken(descriptor, b"0123456789abcdef\n") == 1
    os.close(descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_it_has_no_privilege_when_it_hears_what_to_say(certificate: int) -> None:
    command = [sys.executable, "-m", "chaperone.agent.health.speaker", str(certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(certificate,)) as process:
        status = Path(f"/proc/{process.pid}/status")
        while not all(given_up in status.read_text() for given_up in GIVEN_UP):
            assert process.poll() is None
        process.communicate(b"0123456789abcdef\n", timeout=60)
    assert process.returncode == 0
