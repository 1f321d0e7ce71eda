"""Times as documents have them: RFC 3339 in UTC with nine digits of a second (the store's DateTime64(9))."""

from datetime import UTC, datetime

SECOND = 1_000_000_000
LATEST = 9_223_372_036 * SECOND  # 2262, the end of DateTime64(9)


def rfc3339(ns: int) -> str:
    """Wall-clock nanoseconds as 2026-01-02T03:04:05.000000006Z; a time that the store cannot hold as the nearest it can."""
    seconds, rest = divmod(min(max(ns, 0), LATEST), SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def time_ns(text: str) -> int:
    """Such a time, with any number of digits of a second, in wall-clock nanoseconds."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * SECOND + int(rest.ljust(9, "0")[:9] or 0)
