"""A capture file (raw chunks of one stream, for tests and `decode`) → the records an agent would have sent.

Format: JSON lines, gzip or not. First {name, start, …}; then {t, d, b} with d "c2s" or "s2c" and b base64; {t, d, eof: true};
{t, d, error}. `start` is Unix seconds, `t` seconds since then. Unknown keys are skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaperone.proto.records import Record


class CaptureError(ValueError):
    """A file that is no capture; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture's records, and what turns their times into wall-clock ns."""

    name: str
    wall_offset: int
    records: Iterator[Record]


def read_capture(path: Path) -> Capture:
    """Open a capture. CaptureError now or while its records are read."""
    raise CaptureError(f"{path}: not read yet")
