import random
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import recordings
from support.recordings import Chunks, Recording, recording, reports
from support.talks import HOST, answered, asked, chunked, other, talk

from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.kube.calls import MARK_LIMIT, Calls
from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.exchange import Exchange, Exchanges, Phase
from chaperone.proto.records import Direction

NOWHERE: frozenset[str] = frozenset()
MIB = 1024 * 1024
SMALL = ("kubectl-create-secret.1", "kubectl-rollout-status.1", "kubectl-exec-ws-tty.2", "curl-post-bad.1", "kubectl-logs-follow.1")


def exchanges_of(chunks: Chunks) -> list[Exchange]:
    reader, exchanges, positions = StreamReader(), Exchanges(), [0, 0]
    found: list[Exchange] = []
    for direction, data, time in chunks:
        found += exchanges.add(reader.feed(direction, positions[direction], data, time))
        positions[direction] += len(data)
    return found + exchanges.add(reader.close(9)) + exchanges.close(9)


def small(name: str) -> Recording:
    return recording(name)


def test_an_apiservers_exchanges_are_calls_whatever_their_path() -> None:
    assert all(isinstance(report, Call) for report in talk(asked("GET", "/anything"), answered(404)))


def test_another_programs_exchanges_have_their_sizes_only() -> None:
    found = talk(asked("POST", "/api/v1/query?token=s3cret", b"x" * 50), answered(200, b"y" * 70, Server="x"), apiservers=NOWHERE)
    assert [report.phase for report in found] == [Phase.REQUEST, Phase.RESPONSE, Phase.END]
    last = other(found)
    assert (last.method, last.authority, last.path, last.code) == ("POST", HOST, "/api/v1/query", 200)
    assert last.bytes_out > 50
    assert last.bytes_in > 70
    assert "s3cret" not in repr(found)


def test_a_stream_that_spoke_kubernetes_once_goes_on_speaking_it() -> None:
    chunks = [
        (Direction.OUT, asked("GET", "/version"), 1),
        (Direction.IN, answered(200), 2),
        (Direction.OUT, asked("GET", "/api/v1/pods"), 3),
        (Direction.IN, answered(200), 4),
        (Direction.OUT, asked("GET", "/version"), 5),
        (Direction.IN, answered(200), 6),
    ]
    kinds = [type(report) for report in reports(chunks) if report.phase is Phase.END]
    assert kinds == [NotKubernetes, Call, Call]


def test_an_answer_may_show_that_it_was_kubernetes_after_all() -> None:
    found = talk(asked("GET", "/version"), answered(200, b"{}", Audit_Id="x"), apiservers=NOWHERE)
    assert [type(report) for report in found] == [NotKubernetes, Call, Call]
    assert "recognised as Kubernetes by its answer only" in found[-1].ambiguous if isinstance(found[-1], Call) else False


def test_what_is_not_kubernetes_needs_no_memory() -> None:
    pieces = [(Direction.IN, chunk, 2) for chunk in chunked(200, [bytes(MIB)] * 64)]
    tracemalloc.start()
    found = reports([(Direction.OUT, asked("GET", "/file"), 1), *pieces])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert other(found).bytes_in > 64 * MIB
    assert peak < 8 * MIB


def test_a_log_of_any_length_needs_no_memory() -> None:
    exchanges = exchanges_of([(Direction.OUT, asked("GET", "/api/v1/namespaces/d/pods/p/log"), 1)])
    reader, known, calls = StreamReader(), Exchanges(), Calls(NOWHERE)
    assert len(exchanges) >= 1
    known.add(reader.feed(Direction.OUT, 0, asked("GET", "/api/v1/namespaces/d/pods/p/log"), 1))
    head = chunked(200, [], "text/plain")[0]
    position = len(head)
    taken = known.add(reader.feed(Direction.IN, 0, head, 2))
    line = f"{MIB:x}\r\n".encode() + b"x" * MIB + b"\r\n"
    tracemalloc.start()
    for _ in range(64):
        for exchange in [*taken, *known.add(reader.feed(Direction.IN, position, line, 3))]:
            calls.take(exchange)
        taken, position = [], position + len(line)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


@pytest.mark.parametrize("name", SMALL)
def test_a_mark_between_any_two_reports_goes_on_as_if_nothing_happened(name: str) -> None:
    found = exchanges_of(small(name).chunks)
    calls = Calls(NOWHERE)
    expected = [calls.take(exchange) for exchange in found]
    for cut in range(len(found)):
        before = Calls(NOWHERE)
        given_before = [before.take(exchange) for exchange in found[:cut]]
        mark: Any = before.mark()
        if mark is None:
            continue
        again = Calls.restore(msgpack.unpackb(msgpack.packb(mark), strict_map_key=False))
        assert given_before + [again.take(exchange) for exchange in found[cut:]] == expected


def test_what_a_mark_cannot_hold_gives_none() -> None:
    calls = Calls(NOWHERE)
    gzipped = chunked(200, [b"\x1f\x8b"], Content_Encoding="gzip")[:-1]
    for exchange in exchanges_of([(Direction.OUT, asked("GET", "/api/v1/pods"), 1), *((Direction.IN, part, 2) for part in gzipped)])[:-1]:
        calls.take(exchange)
    assert calls.mark() is None
    big = Calls(NOWHERE)
    body = chunked(200, [b" " * (MARK_LIMIT + 1)])[:-1]
    for exchange in exchanges_of([(Direction.OUT, asked("GET", "/api/v1/pods"), 1), *((Direction.IN, part, 2) for part in body)])[:-1]:
        big.take(exchange)
    assert big.mark() is None


@settings(max_examples=60)
@given(st.sampled_from(SMALL), st.randoms(use_true_random=False), st.integers(1, 20))
def test_mutated_recordings_never_raise(name: str, rng: random.Random, changes: int) -> None:
    chunks = [(direction, bytearray(data), time) for direction, data, time in recording(name).chunks]
    for _ in range(changes):
        _, data, _ = rng.choice(chunks)
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    for report in reports([(direction, bytes(data), time) for direction, data, time in chunks]):
        assert report.phase is not Phase.OPEN
        repr(report)


@settings(max_examples=60)
@given(
    st.binary(max_size=200),
    st.binary(max_size=200),
    st.sampled_from(["", "gzip", "br"]),
    st.sampled_from(["application/json", "application/yaml", "x"]),
)
def test_any_body_in_either_direction_is_a_call(sent: bytes, answer: bytes, coding: str, media_type: str) -> None:
    headers = {"Content_Type": media_type}
    found = talk(asked("POST", "/api/v1/secrets", sent, **headers), answered(201, answer, media_type, Content_Encoding=coding))
    assert isinstance(found[-1], Call)


def test_chunks_lost_anywhere_leave_only_incomplete_or_unchanged_calls() -> None:
    whole = {call.position: call for call in recordings.finals(reports(recording("kubectl-rollout-status.1").chunks))}
    chunks = recording("kubectl-rollout-status.1").chunks
    for missing in range(len(chunks)):
        for call in recordings.finals(with_loss(chunks, missing)):
            full = whole.get(call.position)
            assert not call.complete or call.ambiguous or (full is not None and full.response_body == call.response_body)


def with_loss(chunks: Chunks, missing: int) -> recordings.Reports:
    reader, exchanges, calls, positions = StreamReader(), Exchanges(), Calls(NOWHERE), [0, 0]
    found: list[Exchange] = []
    for number, (direction, data, time) in enumerate(chunks):
        if number == missing:
            events = reader.lose(direction, len(data), time, "test")
        else:
            events = reader.feed(direction, positions[direction], data, time)
        positions[direction] += len(data)
        found += exchanges.add(events)
    found += exchanges.add(reader.close(9)) + exchanges.close(9)
    return [report for exchange in found if (report := calls.take(exchange)) is not None]
