"""Bytes of an ELF file → sections, symbols, file offsets. Nothing is executed, mapped or trusted.

The file belongs to the workload: each read is checked against its size and a limit, and whatever does not fit raises
`UnreadableError`, the only exception that leaves this module. 64-bit little-endian x86-64 only. Source: the ELF-64 Object File
Format, System V ABI, Draft 3.
"""

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

READ_LIMIT = 128 << 20  # the largest table of kubectl has 30 MB
SECTION_LIMIT = 4096
SEGMENT_LIMIT = 256
NAME_LIMIT = 256
X86_64 = 62
EXECUTABLE_OR_SHARED = (2, 3)
PT_LOAD, EXECUTABLE = 1, 1
SYMBOL_SIZE = 24
FUNCTION = (2, 10)  # STT_FUNC, STT_GNU_IFUNC


class UnreadableError(ValueError):
    """The file is no ELF file that we can read; the text says what is wrong with it."""


class Section(NamedTuple):
    """What we use of Elf64_Shdr."""

    name: int
    kind: int
    address: int
    offset: int
    size: int
    link: int


class Segment(NamedTuple):
    """What we use of an Elf64_Phdr of type PT_LOAD."""

    flags: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True)
class Elf:
    """An opened file; the descriptor stays the caller's."""

    fd: int

    @cached_property
    def size(self) -> int:
        """Bytes of the file when first looked at; a file that shrinks later gives UnreadableError."""
        return os.fstat(self.fd).st_size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes of the file."""
        if size > READ_LIMIT:
            raise UnreadableError(f"a part of {size} bytes is over the limit of {READ_LIMIT}")
        if offset + size > self.size:
            raise UnreadableError(f"{size} bytes at {offset} are not in the file")
        parts, missing = [], size
        while missing:
            part = os.pread(self.fd, missing, offset + size - missing)
            if not part:
                raise UnreadableError("the file became shorter while it was read")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    @cached_property
    def _header(self) -> tuple[int, ...]:
        """e_phoff, e_shoff, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx."""
        ident, kind, machine, _version, _entry, phoff, shoff, _flags, _size, *counts = struct.unpack("<16s2HI3QI6H", self.read(0, 64))
        if ident[:6] != b"\x7fELF\x02\x01":
            raise UnreadableError("not a 64-bit little-endian ELF file")
        if machine != X86_64 or kind not in EXECUTABLE_OR_SHARED:
            raise UnreadableError(f"not an x86-64 program or library (machine {machine}, type {kind})")
        return phoff, shoff, *counts

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The executable PT_LOAD segments."""
        phoff, _shoff, entry, count = self._header[:4]
        if entry != 56 or count > SEGMENT_LIMIT:
            raise UnreadableError(f"{count} program headers of {entry} bytes")
        rows = struct.iter_unpack("<2I6Q", self.read(phoff, entry * count))
        loads = (Segment(flags, offset, address, size) for kind, flags, offset, address, _, size, _, _ in rows if kind == PT_LOAD)
        return tuple(segment for segment in loads if segment.flags & EXECUTABLE)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All sections; none if the section headers were removed."""
        shoff, entry, count = self._header[1], self._header[4], self._header[5]
        if not shoff or not count:
            return ()
        if entry != 64 or count > SECTION_LIMIT:
            raise UnreadableError(f"{count} section headers of {entry} bytes")
        rows = struct.iter_unpack("<2I4Q2I2Q", self.read(shoff, entry * count))
        return tuple(Section(name, kind, address, offset, size, link) for name, kind, _, address, offset, size, link, *_ in rows)

    def section(self, *names: str) -> Section | None:
        """The first section that has one of these names."""
        index = self._header[6]
        if index >= len(self.sections):
            return None
        strings = self.content(self.sections[index])
        return next((one for one in self.sections if _string(strings, one.name) in names), None)

    def content(self, section: Section) -> bytes:
        """All bytes of a section."""
        return self.read(section.offset, section.size)

    def offset_of(self, address: int) -> int:
        """Where in the file the instruction at a virtual address is: what a uprobe wants."""
        for segment in self.segments:
            if segment.address <= address < segment.address + segment.size:
                return address - segment.address + segment.offset
        raise UnreadableError(f"address {address:#x} is in no executable segment")

    def functions(self, names: Iterable[str]) -> dict[str, int]:
        """name → address, of those `names` that the file defines as functions: exported, or in its symbol table."""
        found: dict[str, int] = {}
        for table in (self.section(".dynsym"), self.section(".symtab")):
            if table is not None and table.link < len(self.sections):
                strings, symbols = self.content(self.sections[table.link]), self.content(table)
                found |= {name: at for name in names if name not in found and (at := _function(symbols, strings, name))}
        return found


def _function(symbols: bytes, strings: bytes, name: str) -> int:
    """The address of a defined function, 0 if there is none. Searches bytes: a loop over 10^5 symbols takes too long.

    Linkers share the ends of names: SSL_free may lie only at the end of OPENSSL_free.
    """
    ended, at = name.encode() + b"\0", -1
    for _ in range(NAME_LIMIT):
        at = strings.find(ended, at + 1)
        if at < 0:
            return 0
        if address := _named(symbols, at):
            return address
    return 0


def _named(symbols: bytes, name: int) -> int:
    """The address of a function by its name's place in the string table."""
    wanted, where = struct.pack("<I", name), -1
    for _ in range(NAME_LIMIT):  # the same four bytes may occur inside other symbols
        where = symbols.find(wanted, where + 1)
        if where < 0 or where + SYMBOL_SIZE > len(symbols):
            return 0
        if where % SYMBOL_SIZE == 0 and (address := _defined(symbols, where)):
            return address
    return 0


def _defined(symbols: bytes, at: int) -> int:
    info, section, value = struct.unpack_from("<BxHQ", symbols, at + 4)
    return int(value) if section and info & 0xF in FUNCTION else 0


def _string(strings: bytes, at: int) -> str:
    end = strings.find(b"\0", at, at + NAME_LIMIT)
    return strings[at:end].decode(errors="replace") if end >= 0 else ""
