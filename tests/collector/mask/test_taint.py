import gzip
import random

import pytest
from support.leaving import COMMON, ENCODINGS, SPLITS, clean, knowing, missed, secrets, seen
from support.masking import make_body, make_call, make_piece, on

from chaperone.collector.mask import taint as module
from chaperone.collector.mask.known import Origin
from chaperone.collector.mask.taint import Flow, Left, Taint
from chaperone.collector.mask.text import Texts
from chaperone.collector.wire.exchange import Phase

SECRET = b"Zq7xWv3pLm9kTb2r"
VALUES = secrets(35)
TEXTS = knowing(VALUES)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("split", SPLITS)
def test_every_secret_is_seen_however_it_is_sent(encoding: str, split: str) -> None:
    assert missed(TEXTS, VALUES, encoding, split) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_secret_is_not_taken_for_it(encoding: str) -> None:
    assert seen(TEXTS, random.Random(1).randbytes(16).hex().encode(), encoding, "whole") == set()


def test_clean_traffic_has_no_hit() -> None:
    hits, size = clean(TEXTS, COMMON)
    assert hits == 0 and size > 100_000


def test_gzip_is_bounded_and_damaged_gzip_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(TEXTS)
    assert flow.feed(b"\x1f\x8b\x08 no gzip " + VALUES[0]) == {VALUES[0]}
    assert flow.feed(gzip.compress(VALUES[0]) + b"between" + gzip.compress(VALUES[2])) >= {VALUES[0], VALUES[2]}
    monkeypatch.setattr(module, "MOST_INFLATED", 1000)
    bomb = Flow(TEXTS)
    assert bomb.feed(gzip.compress(bytes(100 << 20) + VALUES[0])) == set()
    assert bomb._inflated <= 1000 + (1 << 20)
    assert bomb.feed(VALUES[0]) == {VALUES[0]}


def taint() -> tuple[Taint, Texts]:
    texts = knowing([])
    texts.reading = Origin("", "call-a", 1)
    texts.learn(SECRET, "ns/db:password")
    return Taint(texts), texts


def places(found: list[Left]) -> list[str]:
    return [left.place for left in found]


def test_what_is_told_names_the_secret_and_not_its_value() -> None:
    made, texts = taint()
    [left] = made.call(make_call(info=on("configmaps"), request_body=make_body({"data": {"a": SECRET.decode()}})))
    assert left == Left("ns/db:password", texts.stand_in(SECRET).decode(), "call-a", 1, "body", 2, 0, "10.0.0.1:443")
    assert SECRET.decode() not in repr(left)


def test_each_place_of_a_call_is_looked_at_once() -> None:
    made, _ = taint()
    call = make_call(
        phase=Phase.REQUEST,
        info=on("pods", "exec"),
        request_uri=f"/api/v1/x?command={'%5A' + SECRET[1:].decode()}",
        request_headers=(("x-odd", SECRET.decode()), ("authorization", f"Bearer {SECRET.decode()}"), ("cookie", SECRET.decode())),
        request_body=make_body({"a": SECRET.decode()}),
    )
    assert places(made.call(call)) == ["url", "header x-odd", "body"]
    parts = ((SECRET[:7], "stdin"), (SECRET[7:], "stdin"), (SECRET, "stdin"), (SECRET, "stdout"))
    pieces = tuple(make_piece(data, channel, 5 + number) for number, (data, channel) in enumerate(parts))
    assert places(made.call(make_call(phase=Phase.STREAM, pieces=pieces))) == ["stdin"]
    assert made._flows != {}
    assert made.call(make_call(request_uri="/x")) == [] and made._flows == {}


@pytest.mark.parametrize(("resource", "kind"), [("secrets", "Secret"), ("secrets", ""), ("things", "Secret")])
def test_a_secret_that_is_written_back_has_not_left(resource: str, kind: str) -> None:
    made, _ = taint()
    body = make_body({"kind": kind, "stringData": {"p": SECRET.decode()}} if kind else {"stringData": {"p": SECRET.decode()}})
    assert made.call(make_call(info=on(resource), request_body=body)) == []


def test_what_was_sent_before_it_was_read_has_not_left() -> None:
    made, texts = taint()
    texts.reading = Origin("", "call-b", 3)
    texts.learn(VALUES[0], "ns/later:key")
    assert made.call(make_call(requested=2, request_body=make_body({"a": VALUES[0].decode()}))) == []


def test_bytes_that_no_reader_understands() -> None:
    made, _ = taint()
    assert made.opaque(b"\0\0\0\x08" + SECRET[:9], 7) == []
    [left] = made.opaque(SECRET[9:], 8)
    assert (left.place, left.sent, left.secret) == ("connection", 8, "ns/db:password")


def test_flows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FLOWS", 10)
    made, _ = taint()
    for position in range(100):
        made.call(make_call(phase=Phase.STREAM, position=position, pieces=(make_piece(b"x", "stdin"),)))
    assert len(made._flows) <= 10


def test_nothing_is_looked_at_before_anything_is_known() -> None:
    made = Taint(knowing([]))
    assert made.call(make_call(request_uri=f"/{SECRET.decode()}")) == [] and made.opaque(SECRET, 1) == [] and made._flows == {}
