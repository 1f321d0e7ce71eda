"""Another process's memory, in pieces; what is not there is an error where it begins."""

import ctypes
import mmap
import os

import pytest

from chaperone.agent.gate.memory import PIECE, pieces


def test_it_is_read_whole_and_in_order() -> None:
    data = os.urandom(3 * PIECE + 5)
    buffer = ctypes.create_string_buffer(data, len(data))
    assert b"".join(pieces(os.getpid(), ctypes.addressof(buffer), len(data))) == data
    assert list(pieces(os.getpid(), 1, 0)) == []


def test_what_is_absent_ends_it_behind_what_was_there() -> None:
    area = mmap.mmap(-1, 2 * PIECE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    ctypes.CDLL(None).munmap(ctypes.c_void_p(address + PIECE), ctypes.c_size_t(PIECE))
    found = []
    with pytest.raises(OSError, match="Bad address"):
        for piece in pieces(os.getpid(), address, 2 * PIECE):
            found.append(piece)
    assert [len(piece) for piece in found] == [PIECE]


def test_a_process_that_is_gone_is_an_error() -> None:
    with pytest.raises(ProcessLookupError):
        next(pieces(2**22 + 5, 4096, 1))
