"""Durations as people write them, and ages and durations as they read them."""

import re

from chaperone.collector.times import SECOND

UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86400 * SECOND}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


def parse_duration(text: str) -> int:
    """`10m`, `1h30m`, `2d` → ns. ValueError for anything else."""
    if not DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write for example 30s, 10m, 1h30m or 2d")
    return sum(int(float(number) * UNITS[unit]) for number, unit in PART.findall(text))


def age(ns: int) -> str:
    """How long ago, at most two units, as kubectl shows it."""
    seconds = max(0, ns // SECOND)
    if seconds < 120:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 10:
        return f"{minutes}m{seconds}s" if seconds else f"{minutes}m"
    hours = minutes // 60
    if hours < 3:
        return f"{minutes}m"
    return f"{hours}h" if hours < 48 else f"{hours // 24}d"


def took(milliseconds: float | None) -> str:
    """A call's duration: 1.4ms, 312ms, 4.2s, 3m20s."""
    if milliseconds is None:
        return "-"
    if milliseconds < 10:
        return f"{milliseconds:.1f}ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f}ms"
    return f"{milliseconds / 1000:.1f}s" if milliseconds < 120_000 else age(int(milliseconds * 1_000_000))
