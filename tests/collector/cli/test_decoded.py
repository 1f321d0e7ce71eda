"""One capture decoded: the latest version of everything, in order."""

from pathlib import Path
from typing import Any

from chaperone.collector.cli.decoded import Latest, decoded
from chaperone.collector.mask.reveal import Revealer
from chaperone.collector.store.rows import Kind, Row

CAPTURES = Path(__file__).parents[2] / "captures"


def row(phase: int, position: int, **document: Any) -> Row:
    return Row(Kind.CALL, "s", "c", phase, position, 0, document)


def test_a_later_version_replaces_an_earlier_one_and_never_the_reverse() -> None:
    latest = Latest()
    for version in (row(1, 50, n=1), row(3, 10, n=2), row(3, 9, n=3), row(2, 99, n=4)):
        latest.append(version)
    assert [kept.document for kept in latest.rows.values()] == [{"n": 2}]


def test_a_capture_has_its_calls_under_its_name() -> None:
    found = decoded(CAPTURES / "curl-h2.1.jsonl.gz", Revealer)
    assert (found.name, [call["verb"] for call in found.calls]) == ("curl-h2.1.jsonl.gz", ["get"])
    assert found.others == []
    assert found.pieces_of(found.calls[0]) == []
