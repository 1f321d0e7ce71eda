"""Pieces of streaming calls: watch events as objects of their own; logs and channels as text that goes on from piece to piece.

A piece keeps its position, time and size; its text is what became safe to give out with it (`tail`), so it may begin with
the end of the piece before, and be empty. What is still held at the call's end comes in a last piece of size 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from chaperone.collector.kube.call import Call, Piece
from chaperone.collector.kube.marks import restored_piece, saved_piece
from chaperone.collector.mask.body import Bodies, masked_body
from chaperone.collector.mask.masked import MaskedPiece
from chaperone.collector.mask.tail import Tail
from chaperone.collector.mask.text import Texts
from chaperone.collector.wire.exchange import Phase

MOST_CALLS = 1024  # streaming calls with text held back; past that the oldest gives its tails up
MOST_CHANNELS = 64  # of one call; past that the oldest is taken to be over

_Key = tuple[int, int, str, tuple[Any, ...]]  # position, start, URL, headers
_TEXTS = ("log", "stdin", "stdout", "stderr", "port/")


@dataclass(slots=True)
class _Open:
    """A streaming call: per channel its tail and its last piece. `asked`: stdout ended in a question for a password."""

    tails: dict[tuple[str, str], tuple[Tail, Piece]] = field(default_factory=dict)
    asked: bool = False


class Pieces:
    """Masks pieces. Calls are told apart by when and what they are: no two of one stream begin at one position."""

    def __init__(self, texts: Texts, bodies: Bodies) -> None:
        self._texts = texts
        self._bodies = bodies
        self._open: dict[_Key, _Open] = {}

    def mask(self, call: Call, secret: bool) -> tuple[MaskedPiece, ...]:
        """The call's new pieces, and at its end what was held back."""
        if not call.pieces and not self._open:
            return ()
        key = (call.position, call.started, call.request_uri, call.request_headers)
        masked = [part for piece in call.pieces for part in self._piece(piece, key, secret)]
        if call.phase == Phase.END and (ended := self._open.pop(key, None)):
            masked += (_last(tail, piece) for tail, piece in ended.tails.values())
        return tuple(piece for piece in masked if piece.body.size or piece.body.data or not piece.channel.startswith(_TEXTS))

    def held_back(self) -> Iterator[tuple[int, MaskedPiece]]:
        """Of each open call, by its position, the last pieces of what was sent, were it over now. They still come."""
        for (position, *_), opened in self._open.items():
            for tail, piece in opened.tails.values():
                if piece.direction == "out" and (text := tail.held_back()):
                    yield position, _shown(_behind(piece), text)

    def mark(self) -> list[Any]:
        """What is held back of each open call, unmasked, of msgpack types only."""
        return [[list(key), opened.asked, _saved(opened)] for key, opened in self._open.items()]

    def go_on(self, mark: list[Any]) -> None:
        """Hold back what another did when it was marked."""
        for (position, started, uri, headers), asked, tails in mark:
            opened = self._open[position, started, uri, _tuples(headers)] = _Open(asked=asked)
            for state, piece in tails:
                tail, last = Tail(self._texts), restored_piece(piece)
                tail.go_on(state)
                opened.tails[last.channel, last.direction] = tail, last

    def _piece(self, piece: Piece, key: _Key, secret: bool) -> Iterator[MaskedPiece]:
        if not piece.channel.startswith(_TEXTS):
            yield MaskedPiece(piece.channel, piece.direction, piece.position, piece.time, self._bodies.mask(piece.body, secret))
            return
        opened = self._opened(key)
        channel = (piece.channel, piece.direction)
        if channel not in opened.tails and len(opened.tails) >= MOST_CHANNELS:
            yield _last(*opened.tails.pop(next(iter(opened.tails))))
        tail, _ = opened.tails.get(channel) or (Tail(self._texts), piece)
        opened.tails[channel] = tail, piece
        yield _shown(piece, _fed(opened, tail, piece))

    def _opened(self, key: _Key) -> _Open:
        if key not in self._open and len(self._open) >= MOST_CALLS:
            self._open.pop(next(iter(self._open)))
        return self._open.setdefault(key, _Open())


def _saved(opened: _Open) -> list[Any]:
    return [[tail.saved(), saved_piece(piece)] for tail, piece in opened.tails.values()]


def _tuples(headers: list[list[Any]]) -> tuple[Any, ...]:
    return tuple(map(tuple, headers))


def _fed(opened: _Open, tail: Tail, piece: Piece) -> bytes:
    data = bytes(piece.body.data)
    if piece.direction == "out" and opened.asked:
        opened.asked = b"\n" not in data and b"\r" not in data
        return tail.swallow(data)
    given = tail.feed(data)
    if piece.direction == "in" and data:
        opened.asked = tail.asks
    return given


def _shown(piece: Piece, data: bytes) -> MaskedPiece:
    return MaskedPiece(piece.channel, piece.direction, piece.position, piece.time, masked_body(piece.body, data))


def _last(tail: Tail, piece: Piece) -> MaskedPiece:
    return _shown(_behind(piece), tail.feed(b"", final=True))


def _behind(piece: Piece) -> Piece:
    """An empty one that follows it."""
    rest = replace(piece.body, size=0, wire_size=0, data=b"")
    return replace(piece, position=piece.position + piece.body.wire_size, body=rest)
