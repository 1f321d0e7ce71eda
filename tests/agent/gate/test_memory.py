"""Another process's memory; what is not there is an error, and who does not come back is given up."""

import ctypes
import mmap
import os
import threading

import pytest

from chaperone.agent.gate import memory as module
from chaperone.agent.gate.memory import PIECE, Reader, read


def test_it_is_read_whole() -> None:
    data = os.urandom(PIECE + 5)
    buffer = ctypes.create_string_buffer(data, len(data))
    assert read(os.getpid(), ctypes.addressof(buffer), len(data)) == data


def test_what_is_partly_absent_is_an_error() -> None:
    area = mmap.mmap(-1, 2 * PIECE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    ctypes.CDLL(None).munmap(ctypes.c_void_p(address + PIECE), ctypes.c_size_t(PIECE))
    with pytest.raises(OSError, match="Bad address"):
        read(os.getpid(), address, 2 * PIECE)


def test_a_process_that_is_gone_is_an_error() -> None:
    with pytest.raises(ProcessLookupError):
        read(2**22 + 5, 4096, 1)


def test_a_thread_reads_and_says_what_it_cannot() -> None:
    reader, buffer = Reader(), ctypes.create_string_buffer(b"hello")
    assert reader.read(os.getpid(), ctypes.addressof(buffer), 5, 60) == b"hello"
    with pytest.raises(ProcessLookupError):
        reader.read(2**22 + 5, 4096, 1, 60)
    assert reader.read(os.getpid(), ctypes.addressof(buffer), 2, 60) == b"he"
    reader.leave()
    reader.join(60)
    assert not reader.is_alive()


def test_one_that_does_not_come_back_is_given_up_and_ends_when_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    comes = threading.Event()
    monkeypatch.setattr(module, "read", lambda *_: bytes(comes.wait(60)))
    reader = Reader()
    with pytest.raises(TimeoutError):
        reader.read(1, 2, 3, 0.01)
    assert reader.is_alive()
    comes.set()
    reader.join(60)
    assert not reader.is_alive()
