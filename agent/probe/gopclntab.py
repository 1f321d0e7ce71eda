"""Where a Go program's functions are, stripped or not: Go always ships .gopclntab, its own tracebacks need it.

Read: the tables of Go 1.18 and 1.19 (magic fffffff0) and of 1.20 and later (fffffff1), which differ in nothing we use:

    header:  u32 magic, u8 0, 0, quantum, pointer size; u64 nfunc, nfiles, textStart, funcnames, cu, files, pc, functab
    functab: nfunc times {u32 entry - text start, u32 offset of _func from functab}, u32 end
    _func:   u32 entry - text start, i32 name …

Since Go 1.26 textStart is 0 and stands for the start of .text. Source: the Go tree's src/internal/abi/symtab.go and
src/debug/gosym/pclntab.go. The file is the workload's: see elf.py.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

from chaperone.agent.probe.elf import Elf, UnreadableError

MAGICS = (0xFFFFFFF0, 0xFFFFFFF1)
OLDER = (0xFFFFFFFA, 0xFFFFFFFB)
SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
CODE_LIMIT = 1 << 16  # bytes of one function; those we look for have 1 KB
TRIES = 256
HEADER = struct.Struct("<IHBB8Q")
PAIR = struct.Struct("<II")


class Function(NamedTuple):
    """Addresses of a function's first byte and of what follows it."""

    begin: int
    end: int


@dataclass(frozen=True)
class GoTable:
    """The parts of .gopclntab that we search."""

    table: bytes
    text: int
    count: int
    names: int
    functab: int

    def find(self, name: str) -> Function | None:
        """A function by its full name, as in `crypto/tls.(*Conn).Write`."""
        at = self.table.find(b"\0" + name.encode() + b"\0", self.names)
        if at < 0:
            return None
        wanted, where = struct.pack("<i", at + 1 - self.names), self.functab
        for _ in range(TRIES):  # the same four bytes may mean something else
            where = self.table.find(wanted, where + 1)
            if where < 0:
                return None
            if found := self._function(where - 4):
                return found
        return None

    def _function(self, record: int) -> Function | None:
        """The function whose _func begins at `record`, if functab says so too."""
        (entry,) = struct.unpack_from("<I", self.table, record)
        index = self._index(entry)
        begin, pointer = PAIR.unpack_from(self.table, self.functab + 8 * index)
        if (begin, self.functab + pointer) != (entry, record):
            return None
        (end,) = struct.unpack_from("<I", self.table, self.functab + 8 * index + 8)
        return Function(self.text + begin, self.text + end) if begin < end <= begin + CODE_LIMIT else None

    def _index(self, entry: int) -> int:
        """The last function that begins at or before `entry`; functab is sorted."""
        low, high = 0, self.count - 1
        while low < high:
            middle = (low + high + 1) // 2
            (begin,) = struct.unpack_from("<I", self.table, self.functab + 8 * middle)
            low, high = (middle, high) if begin <= entry else (low, middle - 1)
        return low


def go_table(elf: Elf) -> GoTable | None:
    """The function table of a Go program, None if the file is none. UnreadableError if it is one that we cannot read."""
    section = elf.section(*SECTIONS)
    if section is None:
        return None
    table = elf.content(section)
    if len(table) < HEADER.size:
        raise UnreadableError(f"Go's function table has {len(table)} bytes")
    magic, _, _, pointer, count, _, start, names, _, _, _, functab = HEADER.unpack_from(table)
    if magic in OLDER:
        raise UnreadableError("built by a Go before 1.18")
    if magic not in MAGICS or pointer != 8:
        raise UnreadableError(f"Go's function table has an unknown layout (magic {magic:#x}, pointers of {pointer} bytes)")
    if not count or functab + 8 * count + 4 > len(table) or names > len(table):
        raise UnreadableError("Go's function table points beyond its end")
    return GoTable(table, start or _text(elf), count, names, functab)


def _text(elf: Elf) -> int:
    text = elf.section(".text")
    if text is None:
        raise UnreadableError("a Go program without .text")
    return text.address
