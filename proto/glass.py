"""Break-glass: the file on a node that says that nothing is enforced there until when, who wanted that, and why.

Whoever may write it may end the agent as well: it counts only when it is its reader's own or root's, and nobody else can write it. Its
times are of the boot clock of one boot, so that setting the wall clock prolongs nothing, and a restart of the machine ends it.
"""

import json
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PLACE = "CHAPERONE_BREAK_GLASS"
FILE = Path("/run/chaperone/break-glass")
SIZE = 16 << 10
TEXT = 1000  # characters of a reason, and of a name
SECOND = 1_000_000_000
LONGEST_S = 24 * 3600
_UNITS = {"s": 1, "m": 60, "h": 3600}


class GlassError(ValueError):
    """It can't be used; one sentence."""


@dataclass(frozen=True, slots=True)
class Glass:
    """`begun`, `until`: ns of the clock of boot `boot`."""

    id: str
    boot: str
    begun: int
    until: int
    who: str
    why: str


def place(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the file is: the same for all agents of a machine."""
    return Path(environment.get(PLACE) or FILE)


def seconds(text: str) -> int:
    """15m → 900. GlassError."""
    found = re.fullmatch(r"(\d{1,6})([smh])", text)
    if not found or not 0 < int(found[1]) * _UNITS[found[2]] <= LONGEST_S:
        raise GlassError(f"expected a time up to 24h such as 15m, found {text[:40]!r}")
    return int(found[1]) * _UNITS[found[2]]


def reason(text: str) -> str:
    """It itself. GlassError where it says nothing, or too much."""
    if not text.strip() or len(text) > TEXT:
        raise GlassError(f"a reason is needed, of 1 to {TEXT} characters")
    return text


def read(file: Path) -> Glass | None:
    """What it says; None where there is none. GlassError where it counts for nothing."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GlassError(f"{file} can't be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as opened:
        _refuse_strange(file, os.fstat(descriptor))
        return parsed(opened.read(SIZE), file)


def parsed(text: bytes, file: Path = FILE) -> Glass:
    """GlassError when it is none."""
    try:
        found: dict[str, Any] = json.loads(text)
        glass = Glass(**found)
    except (ValueError, TypeError, RecursionError):
        raise GlassError(f"{file} is none of ours") from None
    texts, times = (glass.id, glass.boot, glass.who, glass.why), (glass.begun, glass.until)
    is_fine = all(isinstance(one, str) and len(one) <= TEXT for one in texts) and all(type(one) is int for one in times)
    if not is_fine or not 0 < glass.until - glass.begun <= LONGEST_S * SECOND:
        raise GlassError(f"{file} is none of ours")
    return glass


def write(file: Path, glass: Glass) -> None:
    """In place of what is there; whole or not at all. OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(json.dumps(asdict(glass)).encode())
            opened.flush()
            os.fsync(descriptor)
        new.rename(file)
    finally:
        new.unlink(missing_ok=True)


def remove(file: Path) -> None:
    """Nothing is broken any more. OSError."""
    with suppress(FileNotFoundError):
        file.unlink()


def _refuse_strange(file: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise GlassError(f"{file} counts for nothing: others than root could have written it")
