"""A thread's memory is taken only while the door has it stopped, and only from those who do not make us wait."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from chaperone.agent.gate import held as module
from chaperone.agent.gate import memory
from chaperone.agent.gate.held import STRIKES, STUCK, Held, Readers
from chaperone.agent.gate.layout import ReadRecord
from chaperone.agent.gate.memory import PIECE
from chaperone.agent.hold import ptrace
from chaperone.agent.trace.layout import Head, TlsRecord

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="tracing others needs root")
SIZE = 2 * PIECE + 100
Making = Callable[[int, int, int], Held]
SHOWING = f"""
import ctypes, os
data = (bytes(range(250)) * {SIZE // 250 + 1})[:{SIZE}]
buffer = ctypes.create_string_buffer(data, {SIZE})
print(ctypes.addressof(buffer), flush=True)
while True: pass
"""
WHOLE = (bytes(range(250)) * (SIZE // 250 + 1))[:SIZE]


@pytest.fixture
def shown() -> Iterator[tuple[int, int]]:
    """A process that never sleeps, and the address of its bytes."""
    with subprocess.Popen([sys.executable, "-c", SHOWING], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield process.pid, int(process.stdout.readline())
        process.kill()


@pytest.fixture
def held() -> Iterator[Making]:
    def make(pid: int, address: int, tracer: int) -> Held:
        tls = TlsRecord(head=Head(pid=pid, workload=1), size=SIZE)
        return Held(ReadRecord(tls=tls, address=address, thread=pid), tracer, readers)

    with closing(Readers()) as readers:
        yield make


def stopped(pid: int) -> None:
    ptrace.seize(pid, ptrace.Option(0))
    ptrace.interrupt(pid)


def let_go(pid: int) -> None:
    with suppress(ProcessLookupError):
        ptrace.wait(pid)
        ptrace.detach(pid)


def test_the_bytes_of_a_stopped_thread_come_in_order(held: Making, shown: tuple[int, int]) -> None:
    stopped(shown[0])
    found = list(held(*shown, os.getpid()).pieces())
    let_go(shown[0])
    assert b"".join(found) == WHOLE
    assert len(found) == 3


def test_a_running_thread_is_not_read(held: Making, shown: tuple[int, int]) -> None:
    with pytest.raises(ProcessLookupError):
        next(held(*shown, os.getpid()).pieces())


def test_one_that_really_stops_for_others_is_not_read(held: Making, shown: tuple[int, int]) -> None:
    """Anybody may continue it."""
    os.kill(shown[0], signal.SIGSTOP)
    with pytest.raises(ProcessLookupError):
        next(held(*shown, os.getpid()).pieces())


def test_one_that_another_tracer_has_is_not_read(held: Making, shown: tuple[int, int]) -> None:
    stopped(shown[0])
    with pytest.raises(ProcessLookupError):
        next(held(*shown, os.getppid()).pieces())
    let_go(shown[0])


def test_one_that_is_seized_and_does_not_stop_is_not_waited_for(
    held: Making, shown: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOPPING_S", 0.0)
    ptrace.seize(shown[0], ptrace.Option(0))
    with pytest.raises(ProcessLookupError):
        next(held(*shown, os.getpid()).pieces())


def test_what_was_read_of_a_thread_that_went_on_does_not_count(held: Making, shown: tuple[int, int]) -> None:
    stopped(shown[0])
    pieces = held(*shown, os.getpid()).pieces()
    assert next(pieces) == WHOLE[:PIECE]
    let_go(shown[0])
    with pytest.raises(ProcessLookupError):
        next(pieces)


def test_one_that_is_gone_is_an_error(held: Making) -> None:
    with pytest.raises(FileNotFoundError):
        next(held(2**22 + 5, 4096, os.getpid()).pieces())


def test_who_makes_us_wait_does_so_three_times_and_no_other_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    comes, waits = threading.Event(), list[int]()

    def read(pid: int, address: int, size: int) -> bytes:
        if pid != 1:
            return b"!" * size
        waits.append(pid)
        comes.wait(60)
        return b""

    monkeypatch.setattr(memory, "read", read)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    readers = Readers()
    for _ in range(STRIKES + 5):
        with pytest.raises(OSError):
            readers.read(1, 1, 0, 10)
    assert len(waits) == STRIKES
    monkeypatch.setattr(module, "PATIENCE_S", 60.0)
    assert readers.read(2, 2, 0, 3) == b"!!!"
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    readers.forgive(1)
    for workload in range(3, 3 + STUCK):
        with pytest.raises(OSError):
            readers.read(workload, 1, 0, 10)
    assert len(waits) == STUCK, "and no more than these wait at once"
    comes.set()
    for reader in readers._stuck:
        reader.join(60)
    monkeypatch.setattr(module, "PATIENCE_S", 60.0)
    assert readers.read(1, 2, 0, 1) == b"!", "its number is another's"
    readers.close()
