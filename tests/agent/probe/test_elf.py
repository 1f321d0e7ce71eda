"""ELF files made by hand, cut short and mutated."""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.elf_file import BASE, Part, elf_file, symbols

from chaperone.agent.probe.elf import SECTION_LIMIT, Elf, UnreadableError


@contextmanager
def opened(path: Path, data: bytes) -> Iterator[Elf]:
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        yield Elf(fd)
    finally:
        os.close(fd)


@pytest.fixture
def library() -> bytes:
    return elf_file(*symbols({"SSL_write": BASE + 0x40, "imported": 0, "SSL_read": BASE + 0x50}, 2), Part(".text", bytes(64)))


def test_defined_functions_are_found_and_imported_ones_are_not(tmp_path: Path, library: bytes) -> None:
    with opened(tmp_path / "lib", library) as elf:
        assert elf.functions(["SSL_write", "imported", "SSL_read", "absent", "SSL"]) == {"SSL_write": BASE + 0x40, "SSL_read": BASE + 0x50}


def test_functions_of_the_symbol_table_count_too(tmp_path: Path) -> None:
    data = elf_file(*symbols({"SSL_write": BASE + 0x40}, 2, name=".symtab"))
    with opened(tmp_path / "static", data) as elf:
        assert elf.functions(["SSL_write"]) == {"SSL_write": BASE + 0x40}


def test_a_name_that_lies_at_the_end_of_another_one_is_found(tmp_path: Path) -> None:
    """As linkers store them: SSL_free only as the end of OPENSSL_free, which is a function too."""
    strings, rows = b"\0OPENSSL_free\0SSL_write\0", [bytes(24)]
    for name, value in (("OPENSSL_free\0", 0x60), ("SSL_write\0", 0x40), ("SSL_free\0", 0x50)):
        rows.append(struct.pack("<IBBHQQ", strings.index(name.encode()), 0x12, 0, 1, BASE + value, 16))
    data = elf_file(Part(".symtab", b"".join(rows), kind=2, link=2), Part(".strtab", strings, kind=3))
    with opened(tmp_path / "static", data) as elf:
        assert elf.functions(["SSL_write", "SSL_free", "write"]) == {"SSL_write": BASE + 0x40, "SSL_free": BASE + 0x50}


def test_an_address_becomes_a_file_offset(tmp_path: Path, library: bytes) -> None:
    with opened(tmp_path / "lib", library) as elf:
        assert elf.offset_of(BASE + 0x40) == 0x40
        with pytest.raises(UnreadableError, match="in no executable segment"):
            elf.offset_of(BASE - 1)


def test_sections_are_found_by_any_of_their_names(tmp_path: Path, library: bytes) -> None:
    with opened(tmp_path / "lib", library) as elf:
        section = elf.section(".gone", ".text")
        assert section is not None
        assert elf.content(section) == bytes(64)
        assert elf.section(".gone") is None


def test_a_file_without_section_headers_has_no_functions(tmp_path: Path) -> None:
    with opened(tmp_path / "bare", elf_file(sections=False)) as elf:
        assert elf.sections == ()
        assert elf.functions(["SSL_write"]) == {}


REFUSED: dict[str, Callable[[bytes], bytes]] = {
    "64 bytes at 0": lambda data: data[:63],
    "not a 64-bit little-endian ELF file": lambda data: b"#!" + data[2:],
    "not an x86-64 program": lambda data: data[:18] + b"\xb7\0" + data[20:],
    f"{SECTION_LIMIT + 1} section headers": lambda data: data[:60] + (SECTION_LIMIT + 1).to_bytes(2, "little") + data[62:],
    "not in the file": lambda data: data[:40] + (1 << 62).to_bytes(8, "little") + data[48:],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_read_is_said(tmp_path: Path, library: bytes, reason: str) -> None:
    with opened(tmp_path / "bad", REFUSED[reason](library)) as elf, pytest.raises(UnreadableError, match=reason):
        elf.functions(["SSL_write"])


def test_a_file_that_shrinks_while_it_is_read_is_unreadable(tmp_path: Path, library: bytes) -> None:
    with opened(tmp_path / "shrinking", library) as elf:
        assert elf.size == len(library)
        (tmp_path / "shrinking").write_bytes(library[:100])
        with pytest.raises(UnreadableError, match="became shorter"):
            elf.read(90, 20)
