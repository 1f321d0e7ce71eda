"""Times as documents have them: RFC 3339 in UTC with nine digits of a second (the store's DateTime64(9))."""

from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1_000_000_000
RECENT = 1024  # seconds that are remembered as texts, and the other way: what happens now happens in few
LATEST = 9_223_372_036 * SECOND  # 2262, the end of DateTime64(9)


def rfc3339(ns: int) -> str:
    """Wall-clock nanoseconds as 2026-01-02T03:04:05.000000006Z; a time that the store cannot hold as the nearest it can."""
    seconds, rest = divmod(min(max(ns, 0), LATEST), SECOND)
    return f"{_whole(seconds)}.{rest:09}Z"


def time_ns(text: str) -> int:
    """Such a time, with any number of digits of a second, in wall-clock nanoseconds."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return _seconds(whole) * SECOND + int(rest.ljust(9, "0")[:9] or 0)


@lru_cache(RECENT)
def _whole(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@lru_cache(RECENT)
def _seconds(whole: str) -> int:
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
