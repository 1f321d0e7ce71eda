"""A collector goes on from the marks of the version before, as if it had read all itself.

previous/marks.json.gz has marks in the midst of recordings as that version wrote them (support/marked.py). It is made anew of the version
that was released. Whoever changes what a mark holds raises store.marks.LAYOUT, and with it streams are joined late once.
"""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from support.marked import NAMES, OFFSET, Marked, begun, ends, records

from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.store import recall
from chaperone.collector.store.marks import LAYOUT
from chaperone.collector.store.recall import OpenSession, Past
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.records import Chunk

WRITTEN: dict[str, Any] = json.loads(gzip.decompress((Path(__file__).parent / "previous/marks.json.gz").read_bytes()))
same_layout = pytest.mark.skipif(WRITTEN["layout"] != LAYOUT, reason="marks of the version before are none to this one")


def kept(name: str) -> dict[int, Marked]:
    """By behind how many records."""
    return {int(end): {stream: base64.b64decode(state) for stream, state in marks.items()} for end, marks in WRITTEN["marks"][name].items()}


def gone_on(name: str, end: int, marks: Marked) -> list[Row]:
    """The rows of a pipeline that has the rest of a recording only, and these marks."""
    sent, rows = records(name), list[Row]()
    _, stored = begun(sent[:end])
    session, streams = ([row.document for row in stored if row.kind is kind] for kind in (Kind.SESSION, Kind.STREAM))
    known, names = ({key: state for key, state in marks.items() if key.startswith(prefix)} for prefix in (recall.KNOWN, recall.NAMES))
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    pipeline.recall(Past([OpenSession(session[0], [], streams[:1])], marks, known=known, names=names))
    for record in sent[end:]:
        pipeline.take(record, OFFSET)
    return rows


def last(rows: list[Row]) -> dict[tuple[Kind, str], dict[str, Any]]:
    """What is known of each thing in the end."""
    return {(row.kind, row.id): row.document for row in rows}


@same_layout
@pytest.mark.parametrize("name", NAMES)
def test_what_follows_is_read_as_if_nothing_had_been_between(name: str) -> None:
    found = kept(name)
    assert found
    for end, marks in found.items():
        whole = begun(records(name))[1]
        before = begun(records(name)[:end])[1]
        assert last(gone_on(name, end, marks)) == last(whole[len(before) :]), end


@same_layout
def test_marks_are_there_of_all_protocols_and_of_secrets() -> None:
    states = [(key, state) for name in NAMES for marks in kept(name).values() for key, state in marks.items()]
    assert {msgpack.unpackb(state, strict_map_key=False)["reader"]["kind"] for key, state in states if "/" not in key} == {
        "h1",
        "h2",
        "websocket",
        "opaque",
    }
    assert any(key.startswith(recall.KNOWN) for key, _ in states)


@same_layout
@pytest.mark.parametrize("name", ["kubectl-exec-ws-tty.2", "kubectl-exec-spdy-stdin.2", "kubectl-portforward-ws.2", "node-spdy"])
def test_of_channels_of_kubernetes_there_are_none_and_their_batches_stay_with_the_agent(name: str) -> None:
    """Neither version has any behind the upgrade, so no collector acknowledges what is open: all of it is read from its beginning."""
    sent = records(name)
    behind = [end for end in ends(name) if any(row.kind is Kind.PIECE for row in begun(sent[:end])[1])]
    assert behind and not set(behind) & kept(name).keys()
    for end in behind:
        marks, unmarked = begun(sent[:end])[0].marks()
        assert list(unmarked) == [next(record.stream for record in sent if isinstance(record, Chunk))]
        assert not [mark for mark in marks if mark.state and "/" not in mark.stream]
