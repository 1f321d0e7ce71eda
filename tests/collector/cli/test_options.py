"""What option values mean."""

import time

from chaperone.collector.cli.options import instant
from chaperone.collector.cli.show.times import SECOND, parse_time


def test_an_instant_is_so_long_before_now() -> None:
    assert abs(time.time_ns() - 600 * SECOND - parse_time(instant(600 * SECOND))) < SECOND


def test_an_instant_has_nanoseconds() -> None:
    assert len(instant(0)) == len("2026-01-02T03:04:05.000000006Z")
