"""The type checker is the gate: what is not masked cannot be put into a masked value."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
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
