"""The C compiler is asked whether a layout.py mirrors its header."""

import ctypes
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

Mirrors = Mapping[str, type[ctypes.Structure]]


def problems(header: str, lines: list[str], directory: Path) -> str:
    """What the compiler says of assertions behind a header of bpf/; "" if they hold."""
    source = directory / "layout.c"
    source.write_text("\n".join([f'#include "{files("chaperone.bpf") / header}"', *lines, ""]))
    compiled = subprocess.run(["cc", "-fsyntax-only", str(source)], capture_output=True, text=True, check=False)
    assert (compiled.returncode == 0) is (compiled.stderr == "")
    return compiled.stderr


def equal(c: str, value: int) -> str:
    """That a constant expression has this value."""
    return f'_Static_assert(({c}) == {value}, "{c}");'


def same(mirrors: Mirrors) -> list[str]:
    """That each struct is as large as its mirror, and each field is where its mirror has it, and as large."""
    return [line for struct, mirror in mirrors.items() for line in _same(struct, mirror)]


def _same(struct: str, mirror: type[ctypes.Structure]) -> list[str]:
    lines = [equal(f"sizeof(struct {struct})", ctypes.sizeof(mirror))]
    for name, kind in mirror._fields_:
        lines.append(equal(f"__builtin_offsetof(struct {struct}, {name})", getattr(mirror, name).offset))
        lines.append(equal(f"sizeof(((struct {struct} *)0)->{name})", ctypes.sizeof(kind)))
    return lines


def padded(mirrors: Mirrors) -> list[str]:
    """Structs with bytes that no field has: the compiler put them there."""
    return [name for name, mirror in mirrors.items() if sum(ctypes.sizeof(kind) for _, kind in mirror._fields_) != ctypes.sizeof(mirror)]
