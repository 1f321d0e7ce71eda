import pytest

from chaperone.collector.cli.show.connection import coverage, name
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


def test_what_nobody_reads_says_whose_it_is_at_once() -> None:
    assert coverage({"unread": "NSS"}) == Cell("not read (NSS)", "bad")
    assert coverage({"unread": "QUIC", "ended": "2026", "coverage": {"out": "unproven: QUIC is not read"}}) == Cell(
        "not read (QUIC)", "bad"
    )


def test_a_connection_is_called_as_the_client_called_it() -> None:
    assert name({"serverName": "sni.test", "names": ["dns.test"]}) == "sni.test"
    assert name({"serverName": "", "names": ["new.test", "old.test"]}) == "new.test"
    assert name({"serverName": ""}) == ""
