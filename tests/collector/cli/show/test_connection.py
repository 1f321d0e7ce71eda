import pytest

from chaperone.collector.cli.show.connection import coverage
from chaperone.collector.cli.show.table import Cell


@pytest.mark.parametrize(
    ("out", "into", "shown"),
    [
        ("complete", "complete", Cell("complete", "good")),
        ("gap: 5 bytes", "complete", Cell("out gap: 5 bytes", "bad")),
        ("complete", "unproven: keys were updated", Cell("in unproven: keys were updated", "doubtful")),
        ("gap: 5 bytes", "unproven: late", Cell("out gap: 5 bytes; in unproven: late", "bad")),
        ("", "", Cell("not TLS", "faint")),
    ],
)
def test_coverage_in_a_few_words(out: str, into: str, shown: Cell) -> None:
    assert coverage({"ended": "2026", "coverage": {"out": out, "in": into}}) == shown


def test_a_connection_that_goes_on_is_open() -> None:
    assert coverage({}) == Cell("open", "doubtful")
