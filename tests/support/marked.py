"""Marks in the midst of recordings, as the version at hand writes them; `python -m support.marked FILE` keeps them for later versions.

To have those of another version: PYTHONPATH=ITS_CHECKOUT/typings:tests.
"""

import base64
import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from chaperone.collector.ingest.captures import read_capture
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.store.marks import LAYOUT
from chaperone.collector.store.rows import Row
from chaperone.proto.records import Chunk, Record

CAPTURES = Path(__file__).parents[1] / "captures"
NAMES = (
    "curl-expect100.1",
    "curl-h2.1",
    "curl-watchlist-gzip.1",
    "kubectl-create-secret.1",
    "kubectl-exec-spdy-stdin.2",
    "kubectl-exec-ws-tty.2",
    "kubectl-portforward-ws.2",
    "kubectl-logs-follow.1",
    "node-spdy",
    "a WebSocket elsewhere",
    "a protocol that nobody knows",
)
_ELSEWHERE = {b"/api/v1/": b"/app/v1/", b"Kubectl-Command": b"Another-Command", b"kubectl/v": b"another/v", b"kubernetes/": b"kebernetes/"}
# Of channels of Kubernetes there are no marks: what is behind an upgrade is had from recordings that look like something else.
ALTERED = {
    "a WebSocket elsewhere": ("kubectl-exec-ws-tty.2", _ELSEWHERE),
    "a protocol that nobody knows": ("kubectl-portforward-ws.2", {**_ELSEWHERE, b"websocket": b"mystery/2"}),
}
OFFSET = 1_700_000_000_000_000_000
Marked = dict[str, bytes]  # states by the names of their marks


def records(name: str) -> list[Record]:
    """Of a recording: each chunk cut in two, so that there is an end within most heads, frames and bodies."""
    capture, changes = ALTERED.get(name, (name, {}))
    return [part for record in read_capture(CAPTURES / f"{capture}.jsonl.gz").records for part in _cut(_altered(record, changes))]


def _altered(record: Record, changes: dict[bytes, bytes]) -> Record:
    for old, new in changes.items() if isinstance(record, Chunk) else ():
        record = replace(record, data=record.data.replace(old, new))
    return record


def _cut(record: Record) -> Iterator[Record]:
    if not isinstance(record, Chunk) or len(record.data) < 2:
        yield record
        return
    half = len(record.data) // 2
    yield replace(record, data=record.data[:half])
    yield replace(record, data=record.data[half:], position=record.position + half)


def begun(sent: list[Record]) -> tuple[Pipeline, list[Row]]:
    """A pipeline that took these, and its rows."""
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    for record in sent:
        pipeline.take(record, OFFSET)
    return pipeline, rows


def ends(name: str) -> Iterator[int]:
    """Behind which records marks are kept: everywhere, but no more than a dozen."""
    count = len(records(name)) - 2  # what follows is the end
    yield from range(3, count, max(1, count // 12))


def marked(name: str) -> dict[int, Marked]:
    """Marks behind some of a recording's records."""
    sent, found = records(name), dict[int, Marked]()
    for end in ends(name):
        marks = {mark.stream: mark.state for mark in begun(sent[:end])[0].marks()[0] if mark.state}
        if any("/" not in stream for stream in marks):
            found[end] = marks
    return found


def main() -> None:
    """Keep those of all recordings."""
    said = {
        name: {end: {stream: base64.b64encode(state).decode() for stream, state in marks.items()} for end, marks in marked(name).items()}
        for name in NAMES
    }
    text = json.dumps({"layout": LAYOUT, "marks": said}, indent=0).encode()
    Path(sys.argv[1]).write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
