"""Durations and ages, as people write and read them."""

import pytest

from chaperone.collector.cli.show.times import age, parse_duration, took
from chaperone.collector.times import SECOND


@pytest.mark.parametrize(("text", "expected"), [("10m", 600), ("1h30m", 5400), ("2d", 172800), ("1.5s", 1.5), ("250ms", 0.25)])
def test_durations_are_read(text: str, expected: float) -> None:
    assert parse_duration(text) == expected * SECOND


@pytest.mark.parametrize("text", ["", "10", "m", "-1s", "1w", "10 m"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (3600, "60m"),
        (10800, "3h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d"),
    ],
)
def test_ages_read_as_in_kubectl(seconds: int, expected: str) -> None:
    assert age(seconds * SECOND) == expected


@pytest.mark.parametrize(
    ("milliseconds", "expected"), [(None, "-"), (1.44, "1.4ms"), (312.4, "312ms"), (4200, "4.2s"), (119_000, "119.0s"), (200_000, "3m20s")]
)
def test_a_calls_duration_has_two_or_three_digits(milliseconds: float | None, expected: str) -> None:
    assert took(milliseconds) == expected
