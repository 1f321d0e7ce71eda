"""One HTTP/1.1 exchange written by hand, through wire and kube: `talk(asked("GET", "/api/v1/pods"), answered(200, body))`."""

from support.recordings import Reports, reports

from chaperone.collector.kube.call import Call, NotKubernetes, Piece
from chaperone.collector.wire.exchange import Phase
from chaperone.proto.records import Direction

HOST = "10.0.0.1:6443"
APISERVERS = frozenset({HOST})
JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"


def asked(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """A request; header names with `_` for `-`. A body gets its Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answered(code: int, body: bytes = b"", media_type: str = JSON, **headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {code} X", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(code: int, chunks: list[bytes], media_type: str = JSON, **headers: str) -> list[bytes]:
    """An answer without length, in the pieces in which it comes; the last ends it."""
    lines = [f"HTTP/1.1 {code} X", f"Content-Type: {media_type}", "Transfer-Encoding: chunked"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return [head, *(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks), b"0\r\n\r\n"]


def talk(request: bytes, *answers: bytes, apiservers: frozenset[str] = APISERVERS) -> Reports:
    """Every report of the request and its answer."""
    chunks = [(Direction.OUT, request, 10), *((Direction.IN, answer, 20 + number) for number, answer in enumerate(answers))]
    return reports(chunks, apiservers)


def final(found: Reports) -> Call:
    """The one call's last report."""
    (last,) = [report for report in found if isinstance(report, Call) and report.phase is Phase.END]
    return last


def other(found: Reports) -> NotKubernetes:
    """The last report of an exchange that isn't Kubernetes."""
    last = found[-1]
    assert isinstance(last, NotKubernetes)
    return last


def all_pieces(found: Reports) -> list[Piece]:
    """The pieces of every report."""
    return [piece for report in found if isinstance(report, Call) for piece in report.pieces]
