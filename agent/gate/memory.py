"""The memory of a stopped process: process_vm_readv(2), which brings absent pages in."""

import ctypes
import errno
import os
from collections.abc import Iterator

PIECE = 32768


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.process_vm_readv.restype = ctypes.c_ssize_t


def pieces(pid: int, address: int, size: int) -> Iterator[bytes]:
    """`size` bytes from `address`, in order; OSError at the first piece that cannot be read whole."""
    for at in range(0, size, PIECE):
        yield _read(pid, address + at, min(PIECE, size - at))


def _read(pid: int, address: int, size: int) -> bytes:
    buffer = ctypes.create_string_buffer(size)
    here, there = _Iovec(ctypes.addressof(buffer), size), _Iovec(address, size)
    done = _libc.process_vm_readv(pid, ctypes.byref(here), ctypes.c_ulong(1), ctypes.byref(there), ctypes.c_ulong(1), ctypes.c_ulong(0))
    if done != size:
        number = ctypes.get_errno() if done < 0 else errno.EFAULT  # behind what it could read
        raise OSError(number, f"cannot read the memory of {pid}: {os.strerror(number)}")
    return buffer.raw
