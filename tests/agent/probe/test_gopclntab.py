"""Function tables of Go programs made by hand, in each layout."""

import os
from pathlib import Path

import pytest
from support.elf_file import BASE, HEADERS, Part, elf_file, go_functions

from chaperone.agent.probe.elf import Elf, UnreadableError
from chaperone.agent.probe.gopclntab import Function, GoTable, go_table

TEXT = BASE + HEADERS
CODE = {"main.main": bytes(16), "crypto/tls.(*Conn).Write": bytes(32), "crypto/tls.(*Conn).Writer": bytes(48)}


def table_of(path: Path, data: bytes) -> GoTable | None:
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        return go_table(Elf(fd))
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("magic", "has_start"), [(0xFFFFFFF0, True), (0xFFFFFFF1, True), (0xFFFFFFF1, False)], ids=["1.18", "1.20", "1.26"]
)
def test_functions_are_found_by_their_whole_name(tmp_path: Path, magic: int, has_start: bool) -> None:
    table = table_of(tmp_path / "go", elf_file(*go_functions(CODE, magic, has_start)))
    assert table is not None
    assert table.find("crypto/tls.(*Conn).Write") == Function(TEXT + 16, TEXT + 48)
    assert table.find("crypto/tls.(*Conn).Writer") == Function(TEXT + 48, TEXT + 96)
    assert table.find("main.main") == Function(TEXT, TEXT + 16)
    assert table.find("crypto/tls.(*Conn).Read") is None


def test_a_program_without_the_table_is_no_go_program(tmp_path: Path) -> None:
    assert table_of(tmp_path / "c", elf_file(Part(".text", bytes(16)))) is None


@pytest.mark.parametrize(("magic", "reason"), [(0xFFFFFFFA, "a Go before 1.18"), (0x12345678, "unknown layout")])
def test_a_table_that_we_cannot_read_is_said(tmp_path: Path, magic: int, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        table_of(tmp_path / "go", elf_file(*go_functions(CODE, magic)))


def test_a_table_that_points_beyond_its_end_is_refused(tmp_path: Path) -> None:
    text, table = go_functions(CODE)
    huge = table.data[:8] + (1 << 40).to_bytes(8, "little") + table.data[16:]
    with pytest.raises(UnreadableError, match="beyond its end"):
        table_of(tmp_path / "go", elf_file(text, Part(".gopclntab", huge)))
    with pytest.raises(UnreadableError, match="has 20 bytes"):
        table_of(tmp_path / "go", elf_file(text, Part(".gopclntab", table.data[:20])))
