"""Many BPF sources → one C text: each `#include "…"` inlined once, with #line, so that clang's errors name the file."""

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

INCLUDE = re.compile(r'#include "([^"/]+)"\s*')


def flatten(name: str, folder: Traversable | None = None) -> str:
    """The text of `name` in `folder` (by default our bpf/) with everything it includes."""
    return "".join(_lines(name, folder or files("chaperone.bpf"), set()))


def _lines(name: str, folder: Traversable, seen: set[str]) -> Iterator[str]:
    seen.add(name)
    yield f'#line 1 "{name}"\n'
    for number, line in enumerate((folder / name).read_text().splitlines(keepends=True), 1):
        include = INCLUDE.fullmatch(line)
        if include is None:
            yield line
        elif include[1] in seen:
            yield "\n"
        else:
            yield from _lines(include[1], folder, seen)
            yield f'#line {number + 1} "{name}"\n'
