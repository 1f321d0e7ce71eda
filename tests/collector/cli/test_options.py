"""What option values mean."""

import time

from chaperone.collector.cli.options import instant
from chaperone.collector.times import SECOND, time_ns


def test_an_instant_is_so_long_before_now() -> None:
    assert abs(time.time_ns() - 600 * SECOND - time_ns(instant(600 * SECOND))) < SECOND


def test_an_instant_has_nanoseconds() -> None:
    assert len(instant(0)) == len("2026-01-02T03:04:05.000000006Z")
