"""The C compiler is asked whether the mirror is right, as for agent/trace/layout.py."""

import ctypes
import subprocess
from importlib.resources import files
from pathlib import Path

from chaperone.agent.hold.layout import HELD, MIRRORS
from chaperone.agent.trace.values import Site


def assertions() -> list[str]:
    lines = [f'_Static_assert(KIND_HELD == {HELD}, "held");']
    lines += [f'_Static_assert(SITE_{site.name} == {site}, "{site.name}");' for site in Site]
    for struct, mirror in MIRRORS.items():
        lines.append(f'_Static_assert(sizeof(struct {struct}) == {ctypes.sizeof(mirror)}, "{struct}");')
        for name, *_ in mirror._fields_:
            place = getattr(mirror, name).offset
            lines.append(f'_Static_assert(__builtin_offsetof(struct {struct}, {name}) == {place}, "{struct}.{name}");')
    return lines


def test_every_field_and_number_is_the_compilers(tmp_path: Path) -> None:
    source = tmp_path / "layout.c"
    source.write_text("\n".join([f'#include "{files("chaperone.bpf") / "hold_event.h"}"', *assertions(), ""]))
    compiled = subprocess.run(["cc", "-fsyntax-only", str(source)], capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
