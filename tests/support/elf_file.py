"""ELF files made by hand: small, with the sections and symbols that a test names."""

import struct
from dataclasses import dataclass

BASE = 0x400000
HEADERS = 64 + 56  # ELF header and one program header


@dataclass(frozen=True)
class Part:
    """A section: its kind and link as in Elf64_Shdr."""

    name: str
    data: bytes
    kind: int = 1
    link: int = 0


def elf_file(*parts: Part, machine: int = 62, sections: bool = True) -> bytes:
    """A position-dependent program whose one executable segment is the whole file, loaded at BASE."""
    names = b"\0" + b"".join(part.name.encode() + b"\0" for part in (*parts, Part(".shstrtab", b"")))
    every = (*parts, Part(".shstrtab", names, kind=3))
    body, rows, at = b"", [bytes(64)], HEADERS
    for part in every:
        name = names.index(b"\0" + part.name.encode() + b"\0") + 1
        rows.append(struct.pack("<2I4Q2I2Q", name, part.kind, 0, BASE + at, at, len(part.data), part.link, 0, 1, 0))
        body, at = body + part.data, at + len(part.data)
    count = len(rows) if sections else 0
    end = at + 64 * count
    header = struct.pack(
        "<16s2HI3QI6H", b"\x7fELF\x02\x01\x01", 2, machine, 1, 0, 64, at if sections else 0, 0, 64, 56, 1, 64, count, len(rows) - 1
    )
    segment = struct.pack("<2I6Q", 1, 5, 0, BASE, BASE, end, end, 4096)
    return header + segment + body + (b"".join(rows) if sections else b"")


def symbols(functions: dict[str, int], strings_section: int, name: str = ".dynsym") -> tuple[Part, Part]:
    """A symbol table of defined functions and its strings, which will be section number `strings_section`."""
    strings = b"\0" + b"".join(function.encode() + b"\0" for function in functions)
    rows = [bytes(24)]
    for function, address in functions.items():
        at = strings.index(b"\0" + function.encode() + b"\0") + 1
        rows.append(struct.pack("<IBBHQQ", at, 0x12, 0, int(address != 0), address, 16))
    return Part(name, b"".join(rows), kind=11, link=strings_section), Part(".dynstr", strings, kind=3)


def address(offset: int) -> int:
    """Where the byte at a file offset is loaded."""
    return BASE + offset


def go_functions(code: dict[str, bytes], magic: int = 0xFFFFFFF1, has_start: bool = False) -> tuple[Part, Part]:
    """.text with these functions, first in the file, and the .gopclntab that describes them."""
    text, names, entries, records = b"", b"\0", [], b""
    functab = 8 + 8 * 8 + 1 + sum(len(name) + 1 for name in code)
    for name, body in code.items():
        pointer = 8 * len(code) + 4 + len(records)
        entries.append(struct.pack("<II", len(text), pointer))
        records += struct.pack("<Ii", len(text), len(names)) + bytes(32)
        names += name.encode() + b"\0"
        text += body
    start = BASE + HEADERS if has_start else 0
    header = struct.pack("<IHBB8Q", magic, 0, 1, 8, len(code), 1, start, 72, 0, 0, 0, functab)
    table = header + names + b"".join(entries) + struct.pack("<I", len(text)) + records
    return Part(".text", text), Part(".gopclntab", table)
