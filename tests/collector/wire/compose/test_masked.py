"""An answer's secrets by their places on the stream."""

from chaperone.collector.wire.compose.masked import MaskedAnswer
from chaperone.collector.wire.compose.spans import Span
from chaperone.collector.wire.compose.units import FAR, Edit
from chaperone.collector.wire.events import Data, Response
from chaperone.proto.records import Direction


class Second:
    """Knows all but the last byte; the second four bytes of a body are secret."""

    problem = ""

    def __init__(self) -> None:
        self.size = 0

    @property
    def settled(self) -> int:
        return max(0, self.size - 1)

    def feed(self, data: bytes) -> list[Span]:
        before, self.size = self.size, self.size + len(data)
        return [Span(4, 8)] if before < 9 <= self.size else []

    def finish(self) -> list[Span]:
        self.size += 1
        return []


def answer(status: int = 200, *headers: tuple[str, str]) -> MaskedAnswer:
    masked = MaskedAnswer(lambda kind: Second())
    masked.head(Response(5, 0, 1, status, headers))
    return masked


def data(position: int, content: bytes) -> Data:
    return Data(5, Direction.IN, position, 1, content)


def test_a_secret_over_two_pieces_is_replaced_in_both() -> None:
    masked = answer()
    masked.data(data(100, b"abcdef"))
    assert masked.settled == 105 and masked.taken(FAR) == ()
    masked.data(data(110, b"ghijk"))
    assert masked.settled == 114
    assert masked.taken(112) == (Edit(104, 106, "stars"), Edit(110, 112, "stars"))
    assert masked.taken(FAR) == ()
    masked.end()
    assert masked.settled == FAR


def test_an_error_has_no_secrets() -> None:
    masked = answer(403)
    masked.data(data(100, b"abcdefghijkl"))
    assert masked.is_over and masked.settled == FAR and masked.taken(FAR) == ()


def test_what_is_compressed_cannot_be_looked_through() -> None:
    assert answer(200, ("content-encoding", "gzip")).problem == "it is compressed"
    assert not answer(200, ("content-encoding", "identity")).problem
