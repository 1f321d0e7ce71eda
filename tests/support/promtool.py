"""Prometheus' own checker, as deploy/setup.sh puts it beside the venv's Python."""

import shutil
import sys
from pathlib import Path

import pytest


def promtool() -> str:
    """Its path; the test is skipped where there is none."""
    beside = Path(sys.prefix) / "tools" / "promtool"
    found = str(beside) if beside.exists() else shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not here: make setup")
    return found
