"""Programs in tests/peers that gcc builds: clients that call a TLS library in ways in which no other client does."""

import subprocess
from pathlib import Path

PEERS = Path(__file__).parents[1] / "peers"


def built(name: str, folder: Path, *flags: str) -> Path:
    """The program of NAME.c, built into `folder`; `flags` come last, so that they may name libraries."""
    binary = folder / name
    subprocess.run(["gcc", "-Wall", "-O1", "-o", binary, PEERS / f"{name}.c", *flags], check=True)
    return binary
