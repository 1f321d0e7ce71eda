"""The C compiler is asked whether the mirror is right: one assertion per field."""

import ctypes
import subprocess
from importlib.resources import files
from pathlib import Path

from chaperone.agent.trace.layout import ARGV_LIMIT, FILE_LIMIT, MIRRORS, Head, Kind


def compile_assertions(lines: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    source = directory / "layout.c"
    source.write_text("\n".join([f'#include "{files("chaperone.bpf") / "event.h"}"', *lines, ""]))
    return subprocess.run(["cc", "-fsyntax-only", str(source)], capture_output=True, text=True, check=False)


def assertions(struct: str, mirror: type[ctypes.Structure]) -> list[str]:
    sizes = [f'_Static_assert(sizeof(struct {struct}) == {ctypes.sizeof(mirror)}, "{struct}");']
    for name, kind in mirror._fields_:
        place, size = getattr(mirror, name).offset, ctypes.sizeof(kind)
        sizes.append(f'_Static_assert(__builtin_offsetof(struct {struct}, {name}) == {place}, "{struct}.{name}");')
        sizes.append(f'_Static_assert(sizeof(((struct {struct} *)0)->{name}) == {size}, "size of {struct}.{name}");')
    return sizes


def test_every_field_lies_where_the_compiler_puts_it(tmp_path: Path) -> None:
    lines = [line for struct, mirror in MIRRORS.items() for line in assertions(struct, mirror)]
    compiled = compile_assertions(lines, tmp_path)
    assert compiled.returncode == 0, compiled.stderr


def test_numbers_and_limits_are_those_of_the_kernel_side(tmp_path: Path) -> None:
    kinds = [f'_Static_assert(KIND_{kind.name} == {kind}, "{kind.name}");' for kind in Kind]
    limits = [f'_Static_assert({ARGV_LIMIT} == ARGV_LIMIT && {FILE_LIMIT} == FILE_LIMIT, "limits");']
    compiled = compile_assertions(kinds + limits, tmp_path)
    assert compiled.returncode == 0, compiled.stderr


def test_a_wrong_mirror_is_named(tmp_path: Path) -> None:
    class Wrong(ctypes.Structure):
        _fields_ = (*Head._fields_[1:], ("time", ctypes.c_uint64))

    compiled = compile_assertions(assertions("head", Wrong), tmp_path)
    assert compiled.returncode != 0
    assert "head.started" in compiled.stderr


def test_nothing_is_padded_by_the_compiler() -> None:
    for struct, mirror in MIRRORS.items():
        assert sum(ctypes.sizeof(field[1]) for field in mirror._fields_) == ctypes.sizeof(mirror), struct
