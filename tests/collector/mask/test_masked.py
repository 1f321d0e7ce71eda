"""The type checker is the gate: what is not masked cannot be put into a masked value, and nobody but mask/ makes one."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaperone.collector.mask import masked

ROOT = Path(__file__).parents[3]
MADE = {name for name in vars(masked) if name.startswith("Masked")}
RAW = """
from chaperone.collector.kube.call import Body, Call
from chaperone.collector.mask.masked import Masked, MaskedBody, MaskedCall, MaskedText

def store(call: MaskedCall) -> None: ...

def leak(call: Call, body: Body, text: str) -> MaskedBody:
    store(call)
    shown: MaskedText = text
    return MaskedBody("json", "", "", 0, 0, True, 0, body.data)
"""


def test_raw_values_do_not_type_check_as_masked_ones(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    snippet = tmp_path / "leak.py"
    snippet.write_text(RAW)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--follow-imports=silent", str(snippet)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    wrong = [line for line in done.stdout.splitlines() if "leak.py" in line]
    assert ['incompatible type "Call"; expected "MaskedCall"' in wrong[0], '"str", variable has type "MaskedText"' in wrong[1]] == [
        True,
        True,
    ]
    assert 'incompatible type "bytes"; expected "Masked"' in wrong[2]
    assert len(wrong) == 3


def makers(tree: ast.AST) -> Iterator[str]:
    """Where a masked value is made: a call of its name, or the name given away as a function (map, cast, partial, a default)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") != "isinstance":
            named = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
            yield from (name for part in named if (name := getattr(part, "id", getattr(part, "attr", ""))) in MADE)


@pytest.mark.parametrize(
    "text", ["MaskedText(x)", "masked.MaskedCall(a=1)", "map(MaskedText, xs)", "cast(MaskedText, x)", "f(key=MaskedText)"]
)
def test_makers_are_found(text: str) -> None:
    assert list(makers(ast.parse(text)))


def test_nobody_outside_mask_makes_a_masked_value() -> None:
    outside = [path for path in (ROOT / "collector").rglob("*.py") if path.parent.name != "mask"]
    assert len(outside) > 200
    found = {str(path.relative_to(ROOT)): names for path in outside if (names := list(makers(ast.parse(path.read_text()))))}
    assert {"MaskedText", "MaskedCall", "MaskedBody"} <= MADE and found == {}
