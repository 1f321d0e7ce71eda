import pytest

from chaperone.collector.times import LATEST, SECOND, rfc3339, time_ns


def test_times_are_rfc3339_with_nanoseconds() -> None:
    assert rfc3339(1_700_000_000_000_000_007) == "2023-11-14T22:13:20.000000007Z"
    assert rfc3339(-5) == "1970-01-01T00:00:00.000000000Z"
    assert rfc3339(2**70) == rfc3339(LATEST)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("2026-01-02T03:04:05.5Z", 1_767_323_045_500_000_000),
        ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456_789),
        ("2026-01-02T03:04:05.1234567891Z", 1_767_323_045_123_456_789),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert time_ns(text) == expected
