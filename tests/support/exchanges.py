"""One HTTP/1.1 exchange with an apiserver as pieces of a stream, the answer in reads of 64 KiB."""

from chaperone.proto.records import Direction

Pieces = list[tuple[Direction, bytes]]
READ = 65536


def asked(target: str) -> tuple[Direction, bytes]:
    return Direction.OUT, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def answer(body: bytes, media_type: str = "application/json", coding: str = "identity", target: str = "/api/v1/secrets") -> Pieces:
    """A GET and this answer."""
    fields = (f"Content-Type: {media_type}", f"Content-Encoding: {coding}", f"Content-Length: {len(body)}")
    head = "\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode()
    return [asked(target), (Direction.IN, head), *((Direction.IN, body[at : at + READ]) for at in range(0, len(body), READ))]


def watched(body: bytes, media_type: str = "application/json;stream=watch", coding: str = "identity") -> Pieces:
    """A watch and this answer."""
    return answer(body, media_type, coding, "/api/v1/pods?watch=1")
