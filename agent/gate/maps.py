"""BPF maps by their descriptors alone, for a process without bcc: bpf(2) by its number on x86-64, and a ring read by mmap.

The ring's layout is the kernel's contract with libbpf (Documentation/bpf/ringbuf.rst, kernel/bpf/ringbuf.c): a page with the
consumer's position, a page with the producer's, then the data, twice in a row so that no record is cut.
"""

import ctypes
import mmap
import struct
from collections.abc import Iterator
from typing import Generic, TypeVar

SYS_BPF = 321
LOOKUP, UPDATE, DELETE, NEXT_KEY = 1, 2, 3, 4
BUSY, DISCARDED = 1 << 31, 1 << 30
HEADER, POSITION = struct.Struct("@II"), struct.Struct("@Q")
Key = TypeVar("Key", bound=ctypes.Structure)
Value = TypeVar("Value", bound=ctypes.Structure)
_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attributes: "ctypes.Structure | ctypes.Array[ctypes.c_uint32]") -> int:
    """bpf(2): what it gives; below 0, ctypes.get_errno() says why."""
    return int(_libc.syscall(SYS_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes)))


class _Element(ctypes.Structure):
    """The part of union bpf_attr for elements: linux/bpf.h."""

    _fields_ = (
        ("map", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
    )


class Map(Generic[Key, Value]):
    """A hash or an array whose keys and values are structs."""

    def __init__(self, descriptor: int, key: type[Key], value: type[Value]) -> None:
        self.descriptor, self.key, self.value = descriptor, key, value

    def get(self, key: Key) -> Value | None:
        """The value of a key, if it is there."""
        value = self.value()
        return value if self._call(LOOKUP, key, value) else None

    def put(self, key: Key, value: Value) -> None:
        """Set it."""
        if not self._call(UPDATE, key, value):
            raise OSError(ctypes.get_errno(), "cannot set an element of a BPF map")

    def remove(self, key: Key) -> None:
        """Delete it, if it is there."""
        self._call(DELETE, key, None)

    def keys(self) -> Iterator[Key]:
        """The keys, as far as they stay there while we look."""
        found, before = self.key(), None
        while self._call(NEXT_KEY, before, found):
            before = self.key.from_buffer_copy(found)
            yield before

    def _call(self, command: int, key: ctypes.Structure | None, value: ctypes.Structure | None) -> bool:
        addresses = (ctypes.addressof(one) if one is not None else None for one in (key, value))
        element = _Element(self.descriptor, 0, *addresses, 0)
        return bpf(command, element) == 0


class RingReader:
    """The one reader of a ring buffer of `size` bytes."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor, self.size = descriptor, size
        self._consumer = mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(descriptor, mmap.PAGESIZE + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=mmap.PAGESIZE)

    def take(self) -> Iterator[bytes]:
        """The records that are there, in their order."""
        (position,) = POSITION.unpack_from(self._consumer)
        while position < POSITION.unpack_from(self._producer)[0]:
            at = mmap.PAGESIZE + position % self.size
            length, _page = HEADER.unpack_from(self._producer, at)
            if length & BUSY:
                return
            size = length & ~DISCARDED
            if not length & DISCARDED:
                yield self._producer[at + HEADER.size : at + HEADER.size + size]
            position += (HEADER.size + size + 7) // 8 * 8
            POSITION.pack_into(self._consumer, 0, position)

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()
        self._producer.close()
