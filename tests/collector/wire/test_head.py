import pytest

from chaperone.collector.wire import head as heads
from chaperone.collector.wire.buffer import Malformed
from chaperone.collector.wire.head import Framing


def request(*lines: bytes) -> heads.Head:
    return heads.request(b"\r\n".join((b"POST /api/v1/pods?a=1 HTTP/1.1", *lines, b"", b"")))


def test_a_request_head_keeps_its_target_and_repeated_fields() -> None:
    head = request(b"Host: x", b"X-Stream-Protocol-Version: v4", b"x-stream-protocol-version:v3 ")
    assert (head.method, head.target, head.minor, head.doubts) == ("POST", "/api/v1/pods?a=1", 1, ())
    assert head.values("x-stream-protocol-version") == ["v4", "v3"]


def test_a_status_line_needs_no_reason() -> None:
    assert heads.response(b"HTTP/1.1 204\r\n\r\n").status == 204
    assert heads.response(b"HTTP/1.0 404 Not Found\r\n\r\n").minor == 0


@pytest.mark.parametrize(
    "line", [b"GET /a b HTTP/1.1", b"GET  / HTTP/1.1", b"GET /", b"GET / HTTP/2.0", b"G@T / HTTP/1.1", b" GET / HTTP/1.1"]
)
def test_what_is_no_request_line_is_malformed(line: bytes) -> None:
    with pytest.raises(Malformed):
        heads.request(line + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        ((b"A: 1\n B: 2",), "a line ends without CR"),
        ((b"A: 1", b" folded"), "a field is folded over lines"),
        ((b"A : 1",), "a field name is not a token"),
        ((b"no colon",), "a field name is not a token"),
        ((b"A: b\0c",), "control characters in a head"),
        ((b"A: b\rc",), "control characters in a head"),
        ((b"A: \xff",), "a head is not UTF-8"),
        ((b"Host: a", b"Host: b"), "more than one Host"),
    ],
)
def test_what_two_readers_could_understand_differently_is_a_doubt(lines: tuple[bytes, ...], doubt: str) -> None:
    assert doubt in request(*lines).doubts


def test_a_folded_field_is_joined_as_go_joins_it() -> None:
    assert request(b"A: one", b"\t two").values("a") == ["one two"]


@pytest.mark.parametrize(
    ("lines", "expected", "doubts"),
    [
        ((), Framing.NONE, []),
        ((b"Content-Length: 0",), Framing.NONE, []),
        ((b"Content-Length: 5",), Framing.LENGTH, []),
        ((b"Content-Length: 5", b"Content-Length: 5"), Framing.LENGTH, []),
        ((b"Content-Length: 5", b"Content-Length: 6"), Framing.LENGTH, ["conflicting Content-Length"]),
        ((b"Transfer-Encoding: Chunked",), Framing.CHUNKED, []),
        ((b"Transfer-Encoding: gzip, chunked",), Framing.CHUNKED, ["Transfer-Encoding other than chunked"]),
        ((b"Transfer-Encoding: chunked", b"Content-Length: 5"), Framing.CHUNKED, ["Transfer-Encoding and Content-Length"]),
    ],
)
def test_how_a_body_ends_is_known_or_doubted(lines: tuple[bytes, ...], expected: Framing, doubts: list[str]) -> None:
    framing, _, found = heads.framing(request(*lines), Framing.NONE)
    assert (framing, found) == (expected, doubts)


def test_http_1_0_has_no_chunks() -> None:
    head = heads.request(b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert heads.framing(head, Framing.NONE) == (Framing.NONE, 0, ["Transfer-Encoding in HTTP/1.0"])


@pytest.mark.parametrize("line", [b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: ", b"Transfer-Encoding: gzip"])
def test_a_body_whose_end_nothing_tells_is_malformed(line: bytes) -> None:
    with pytest.raises(Malformed):
        heads.framing(request(line), Framing.NONE)


@pytest.mark.parametrize(("line", "size"), [(b"1a\r\n", 26), (b"0;ext=1\r\n", 0), (b"5 \r\n", 5), (b"7fffffff\r\n", 2**31 - 1)])
def test_a_chunk_size_is_hexadecimal_with_extensions(line: bytes, size: int) -> None:
    assert heads.chunk_size(line) == (size, ())


@pytest.mark.parametrize("line", [b"0x5\r\n", b"-1\r\n", b"\r\n", b" 5\r\n", b"1" * 17 + b"\r\n"])
def test_what_is_no_chunk_size_is_malformed(line: bytes) -> None:
    with pytest.raises(Malformed):
        heads.chunk_size(line)


def test_a_chunk_size_without_cr_is_a_doubt() -> None:
    assert heads.chunk_size(b"5\n") == (5, ("a chunk size ends without CR",))


def test_an_upgrade_needs_both_fields() -> None:
    assert heads.asks_upgrade(request(b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"))
    assert not heads.asks_upgrade(request(b"Upgrade: websocket"))
    assert not heads.asks_upgrade(request(b"Connection: Upgrade"))
