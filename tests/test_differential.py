"""Our reading of requests against Go's own (net/http, what kube-apiserver is built on).

Each request that Go would run is read by us the same, or we had said before that it is doubtful (Ambiguous, Unreadable).
What Go refuses with 400 it runs no handler for, so there we may have read a request that was never run.
"""

import hashlib
import json
import struct
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.go_peer import built

from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.events import Ambiguous, Data, End, Event, Request, Unreadable
from chaperone.proto.records import Direction

Reading = list[tuple[str, str, str]]  # method, target, SHA-256 of the body
GoRead = Callable[[bytes], list[dict[str, str]]]

METHODS = st.sampled_from([b"GET", b"POST", b"PATCH", b"DELETE", b"HEAD", b"get", b"G ET", b"", b"OPTIONS", b"M-SEARCH"])
TARGETS = st.sampled_from(
    [
        b"/api/v1/pods",
        b"/api/v1/pods?watch=1",
        b"/a%2Fb",
        b"/a%zz",
        b"/a;b?c;d",
        b"*",
        b"http://other/api",
        b"/a b",
        b"//api",
        b"/\xff",
        b"",
        b"/a#b",
    ]
)
VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 ", b"HTTP/11", b""])
LINE_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
HEADERS = st.sampled_from(
    [
        b"Host: b",
        b"Host : b",
        b" folded",
        b"X: a\x00b",
        b"X: a\x0bb",
        b": v",
        b"No-Colon",
        b"Content-Length: 0",
        b"Content-Length: 3",
        b"Content-Length: +3",
        b"Content-Length: 3, 3",
        b"Content-Length: 0x3",
        b"Content-Length: 3 ",
        b"Content-Length: ",
        b"Content-Length: 03",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding : chunked",
        b"Expect: 100-continue",
        b"Connection: close",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"abc",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
        b"03\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"3\r\nabc\r\n00\r\n\r\n",
        b";\r\n\r\n",
    ]
)


@st.composite
def request(draw: st.DrawFn) -> bytes:
    end = draw(LINE_ENDS)
    lines = [b" ".join([draw(METHODS), draw(TARGETS), draw(VERSIONS)]), b"Host: a", *draw(st.lists(HEADERS, max_size=3))]
    return end.join(lines) + end + end + draw(BODIES)


STREAMS = st.lists(request(), min_size=1, max_size=3).map(b"".join)


@pytest.fixture(scope="session")
def go_read(tmp_path_factory: pytest.TempPathFactory) -> GoRead:
    binary = built("read_requests", tmp_path_factory.mktemp("peer"))

    def read(stream: bytes) -> list[dict[str, str]]:
        done = subprocess.run([binary], input=struct.pack(">I", len(stream)) + stream, capture_output=True, check=True)
        return json.loads(done.stdout)

    return read


def read_ours(stream: bytes) -> tuple[Reading, bool]:
    """The requests read whole before the first doubt, and whether there was one."""
    reader = StreamReader()
    events = [*reader.feed(Direction.OUT, 0, stream, 0), *reader.close(0)]
    sure, doubtful = until_doubt(events)
    return [whole for event in sure if isinstance(event, Request) and (whole := reading(event, sure))], doubtful


def until_doubt(events: list[Event]) -> tuple[list[Event], bool]:
    for index, event in enumerate(events):
        if isinstance(event, Ambiguous | Unreadable):
            about = event.exchange
            return [e for e in events[:index] if about is None or getattr(e, "exchange", None) != about], True
    return events, False


def reading(request: Request, events: list[Event]) -> tuple[str, str, str] | None:
    mine = [event for event in events if getattr(event, "exchange", None) == request.exchange]
    if not any(isinstance(event, End) and event.direction is Direction.OUT and event.complete for event in mine):
        return None
    body = b"".join(bytes(event.data) for event in mine if isinstance(event, Data) and event.direction is Direction.OUT)
    return request.method or "", request.target or "", hashlib.sha256(body).hexdigest()


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=STREAMS)
def test_what_go_reads_differently_was_said_to_be_doubtful(go_read: GoRead, stream: bytes) -> None:
    theirs = go_read(stream)
    ours, doubtful = read_ours(stream)
    go = [(one.get("method", ""), one.get("uri", ""), one["sha256"]) for one in theirs if not one.get("error")]
    refused = any(one.get("error") for one in theirs)
    together = min(len(ours), len(go)) if refused else len(ours)
    assert ours[:together] == go[:together], f"Go read {theirs}"
    assert doubtful or len(ours) >= len(go), f"Go read {theirs}, ours {ours} without a doubt"
