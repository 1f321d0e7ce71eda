from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.conversations import Conversation, pods

from chaperone.collector.ingest.captures import read_capture
from chaperone.collector.kube.calls import Calls
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.records import Chunk, Direction, Loss, Record, SessionEnded, StreamClosed, Withheld

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nprivate"
OFFSET = 1_700_000_000_000_000_000
CAPTURES = Path(__file__).parents[2] / "captures"
FIXTURES = Path(__file__).parents[3] / "../shared/fixtures/wire"


def taken(records: list[Record]) -> list[Row]:
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    for record in records:
        pipeline.take(record, OFFSET)
    return rows


def of(rows: list[Row], kind: Kind) -> list[dict[str, Any]]:
    return [row.document for row in rows if row.kind is kind]


def without(records: list[Record], dropped: Record) -> list[Record]:
    return [record for record in records if record is not dropped]


def test_a_lost_chunk_is_said_with_size_and_cause() -> None:
    one = Conversation()
    first, second = one.exchange("/api/v1/pods", pods()), one.exchange("/api/v1/nodes", pods())
    gone = first[1]
    assert isinstance(gone, Chunk)
    loss = Loss(one.stream, Direction.IN, gone.position, len(gone.data), gone.time, "ring full")
    rows = taken([*one.begun(), first[0], loss, *second, *one.ended()])
    assert [(lost["size"], lost["cause"]) for lost in of(rows, Kind.LOSS)] == [(len(gone.data), "ring full")]
    latest = {call["resource"]: call for call in of(rows, Kind.CALL)}
    assert not latest["pods"]["complete"]


def test_a_chunk_that_is_missing_without_a_word_is_said_too() -> None:
    one = Conversation()
    records = [*one.begun(), *one.exchange("/api/v1/pods", pods()), *one.ended()]
    for dropped in [record for record in records if isinstance(record, Chunk)]:
        rows = taken(without(records, dropped))
        assert sum(lost["size"] for lost in of(rows, Kind.LOSS)) == len(dropped.data)


def test_a_loss_that_overlaps_what_was_read_counts_only_what_is_missing() -> None:
    one = Conversation()
    chunk = one.request("/api/v1/pods")
    assert isinstance(chunk, Chunk)
    end = len(chunk.data)
    overlaps, is_known = Loss(one.stream, Direction.OUT, end - 10, 15, one.tick(), "x"), Loss(one.stream, Direction.OUT, 0, 5, 1, "y")
    rows = taken([*one.begun(), chunk, overlaps, is_known])
    assert [(lost["position"], lost["size"]) for lost in of(rows, Kind.LOSS)] == [(end, 5)]


def test_a_loss_behind_a_jump_states_the_jump_as_well() -> None:
    one = Conversation()
    rows = taken([*one.begun(), Loss(one.stream, Direction.OUT, 100, 5, 1, "ring full")])
    assert [(lost["position"], lost["size"], lost["cause"]) for lost in of(rows, Kind.LOSS)] == [(0, 100, "unknown"), (100, 5, "ring full")]


def test_what_an_agent_withheld_is_told_and_nothing_is_missing() -> None:
    one = Conversation()
    withheld = [Withheld(one.stream, Direction.OUT, 0, 700, 8), Withheld(one.stream, Direction.IN, 1, 90, 8)]
    rows = taken([*one.begun(), *withheld, StreamClosed(one.stream, 9, 700, 91), SessionEnded(one.session, 10)])
    assert [(gap["direction"], gap["position"], gap["size"], gap["complete"]) for gap in of(rows, Kind.GAP)] == [
        ("out", 0, 700, True),
        ("in", 1, 90, True),
    ]
    assert of(rows, Kind.LOSS) == []


def test_a_stream_that_our_code_fails_on_is_noted_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = Conversation("bad"), Conversation("good")
    real = Calls.take

    def fails(self: Calls, exchange: Any) -> Any:
        if exchange.request.target == "/api/v1/secretive":
            raise KeyError("payload-in-the-text")
        return real(self, exchange)

    monkeypatch.setattr(Calls, "take", fails)
    both = [bad.request("/api/v1/secretive"), bad.answer(pods()), *good.exchange("/api/v1/pods", pods())]
    rows = taken([*bad.begun(), *good.begun(), *both, *bad.ended(), *good.ended()])
    [note] = of(rows, Kind.NOTE)
    assert note["session"] == bad.session and not note["complete"]
    assert note["text"].startswith("read no further from out 0, in 0: KeyError at test_stream.py:")
    assert "payload" not in str(rows)
    assert {call["session"] for call in of(rows, Kind.CALL)} == {good.session}
    assert [stream["bytes"]["out"] for stream in of(rows, Kind.STREAM) if "bytes" in stream] == [bad.positions[0], good.positions[0]]


def test_bytes_that_are_no_http_are_stated_as_unreadable() -> None:
    one = Conversation()
    rows = taken([*one.begun(), one.chunk(Direction.OUT, b"\x00\x01\x02" * 100), *one.ended()])
    assert of(rows, Kind.GAP) or of(rows, Kind.EXCHANGE) or of(rows, Kind.LOSS)
    assert of(rows, Kind.CALL) == []


def test_what_is_not_kubernetes_keeps_host_method_path_and_sizes_only() -> None:
    one = Conversation()
    rows = taken([*one.begun(), one.request("/simple/requests?token=abc"), one.chunk(Direction.IN, PLAIN), *one.ended()])
    exchange = of(rows, Kind.EXCHANGE)[-1]
    assert (exchange["path"], exchange["method"], exchange["authority"]) == ("/simple/requests", "GET", "api.test:6443")
    assert "private" not in str(rows) and of(rows, Kind.CALL) == []


def test_every_piece_has_a_key_of_its_own() -> None:
    for path in sorted(CAPTURES.glob("kubectl-exec-*.2.jsonl.gz")):
        rows = taken(list(read_capture(path).records))
        pieces = [row.id for row in rows if row.kind is Kind.PIECE]
        assert len(pieces) == len(set(pieces)) > 0, path.name


def test_a_recording_cut_anywhere_raises_nothing_and_stays_one_call() -> None:
    records = list(read_capture(CAPTURES / "kubectl-exec-ws-tty.2.jsonl.gz").records)
    for length in range(2, len(records) - 1):
        rows = taken([*records[:length], *records[-2:]])
        assert of(rows, Kind.NOTE) == []
        assert len({row.id for row in rows if row.kind is Kind.CALL}) <= 1


def test_the_recordings_become_as_many_calls_as_the_apiserver_audited() -> None:
    if not FIXTURES.exists():
        pytest.skip("the recordings of shared/fixtures are not here")
    found = 0
    for path in sorted(FIXTURES.glob("*.jsonl.gz")):
        rows = taken(list(read_capture(path).records))
        assert of(rows, Kind.NOTE) == [] and of(rows, Kind.LOSS) == [], path.name
        found += len({row.id for row in rows if row.kind is Kind.CALL})
    assert found == 161


def test_an_exchange_that_its_answer_shows_to_be_kubernetes_goes_on_as_a_call() -> None:
    one = Conversation()
    rows = taken([*one.begun(), one.request("/simple/requests"), one.answer(pods()), *one.ended()])
    found = [row for row in rows if row.kind in (Kind.CALL, Kind.EXCHANGE)]
    assert [row.kind for row in found][:2] == [Kind.EXCHANGE, Kind.CALL] and len({row.id for row in found}) == 1


def test_an_answer_that_came_whole_is_one_row_and_one_in_parts_two() -> None:
    """Its head alone says nothing that its end does not."""

    def phases(*answer: int) -> list[str]:
        one = Conversation()
        request, whole = one.exchange("/api/v1/pods", pods())
        assert isinstance(whole, Chunk)
        ends = (*answer, len(whole.data))
        parts = [replace(whole, position=begin, data=whole.data[begin:end]) for begin, end in zip((0, *answer), ends, strict=True)]
        return [call["phase"] for call in of(taken([*one.begun(), request, *parts, *one.ended()]), Kind.CALL)]

    assert phases() == ["request", "end"]
    assert phases(100) == ["request", "response", "end"]
