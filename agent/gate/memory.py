"""The memory of a stopped process: process_vm_readv(2), which brings absent pages in, and process_vm_writev(2).

That may take for ever, if bringing a page in is the workload's own doing (userfaultfd(2), FUSE). So a thread of its own does it,
and is given up when it does not come back.
"""

import ctypes
import errno
import os
import threading
from queue import Empty, SimpleQueue

PIECE = 32768


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


_libc = ctypes.CDLL(None, use_errno=True)
for _function in (_libc.process_vm_readv, _libc.process_vm_writev):
    _function.restype = ctypes.c_ssize_t


def write(pid: int, address: int, data: bytes) -> None:
    """All of `data`; OSError when that cannot be, EFAULT where a page is not writable."""
    buffer = ctypes.create_string_buffer(data, len(data))
    _move(_libc.process_vm_writev, pid, _Iovec(ctypes.addressof(buffer), len(data)), _Iovec(address, len(data)))


def read(pid: int, address: int, size: int) -> bytes:
    """All `size` bytes, or OSError."""
    buffer = ctypes.create_string_buffer(size)
    _move(_libc.process_vm_readv, pid, _Iovec(ctypes.addressof(buffer), size), _Iovec(address, size))
    return buffer.raw


def _move(function: "ctypes._NamedFuncPointer", pid: int, here: _Iovec, there: _Iovec) -> None:
    done = function(pid, ctypes.byref(here), ctypes.c_ulong(1), ctypes.byref(there), ctypes.c_ulong(1), ctypes.c_ulong(0))
    if done != here.size:
        number = ctypes.get_errno() if done < 0 else errno.EFAULT  # behind what it could move
        raise OSError(number, f"cannot reach the memory of {pid}: {os.strerror(number)}")


class Reader(threading.Thread):
    """Reads, one piece after another, until `leave`. After a TimeoutError nothing else may be asked of it."""

    def __init__(self) -> None:
        super().__init__(name="memory", daemon=True)
        self._asked: SimpleQueue[tuple[int, int, int] | None] = SimpleQueue()
        self._answers: SimpleQueue[bytes | OSError] = SimpleQueue()
        self.start()

    def read(self, pid: int, address: int, size: int, timeout_s: float) -> bytes:
        """As `read`; TimeoutError, an OSError, if it takes longer."""
        self._asked.put((pid, address, size))
        try:
            answer = self._answers.get(timeout=timeout_s)
        except Empty:
            self.leave()
            raise TimeoutError(errno.ETIMEDOUT, f"reading the memory of {pid} takes more than {timeout_s} s") from None
        if isinstance(answer, OSError):
            raise answer
        return answer

    def leave(self) -> None:
        """End, when it comes back."""
        self._asked.put(None)

    def run(self) -> None:
        """Until `leave`."""
        while (asked := self._asked.get()) is not None:
            try:
                self._answers.put(read(*asked))
            except OSError as error:
                self._answers.put(error)
