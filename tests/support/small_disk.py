"""A small file system of its own for a test: what happens when it is full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.required import missing


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """A tmpfs of that size, mounted at a new directory. Skips the test where we may not mount."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = f"mounting a small file system: {done.stderr.strip()}"
        missing(reason)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
