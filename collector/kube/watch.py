"""Streamed response bodies → pieces: watch events cut at their own borders, log text as it comes.

JSON events end at newlines, protobuf ones have 4 bytes of big-endian length, CBOR ones follow one another. DATA frames
and HTTP chunks mean nothing. Sources: apimachinery pkg/runtime/serializer/streaming, pkg/util/framer, apiserver
pkg/endpoints/handlers/watch.go.
"""

from typing import Any, Protocol, Self

from chaperone.collector.kube.body import EVENT_LIMIT, STREAM_LIMIT, Budget, form_of, read_event
from chaperone.collector.kube.call import Body, Form, Piece
from chaperone.collector.kube.forms.cbor import Items
from chaperone.collector.kube.forms.parsed import UnreadableError
from chaperone.collector.wire.coding import Decoder
from chaperone.collector.wire.events import Data

_ENDLESS = 1 << 62  # decoded bytes: a watch may run for weeks, each event is limited instead
_LENGTH = 4


class Cutter(Protocol):
    """Bytes → (payload, size with its framing) of each whole event. `held`: what is not whole yet."""

    held: bytearray

    def feed(self, data: bytes | memoryview) -> list[tuple[bytes, int]]:
        """UnreadableError where the framing makes no sense or passes the limit."""
        ...


class Lines:
    """Events that end with a newline."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.skipping = False  # behind a hole: up to the next newline nothing is an event

    def feed(self, data: bytes | memoryview) -> list[tuple[bytes, int]]:
        """The lines that are whole now, without the empty ones."""
        chunk = bytes(data)
        *lines, rest = chunk.split(b"\n")
        if not lines:
            self.held += rest
            self._check()
            return []
        lines[0] = bytes(self.held) + lines[0]
        self.held = bytearray(rest)
        self._check()
        sized = [(line, len(line) + 1) for line in lines]
        dropped, self.skipping = sized[:1] if self.skipping else [], False
        return [(b"", size) for _, size in dropped] + sized[len(dropped) :]

    def _check(self) -> None:
        if len(self.held) > EVENT_LIMIT:
            raise UnreadableError(f"a watch event over {EVENT_LIMIT} bytes")


class Frames:
    """Events behind a 4-byte big-endian length."""

    def __init__(self) -> None:
        self.held = bytearray()

    def feed(self, data: bytes | memoryview) -> list[tuple[bytes, int]]:
        """The frames that are whole now."""
        self.held += data
        frames: list[tuple[bytes, int]] = []
        at = 0
        while len(self.held) - at >= _LENGTH:
            size = int.from_bytes(self.held[at : at + _LENGTH], "big")
            if size > EVENT_LIMIT:
                raise UnreadableError(f"a watch event of {size} bytes, over {EVENT_LIMIT}")
            if len(self.held) - at - _LENGTH < size:
                break
            frames.append((bytes(self.held[at + _LENGTH : at + _LENGTH + size]), _LENGTH + size))
            at += _LENGTH + size
        del self.held[:at]
        return frames


class Sequence:
    """CBOR items back to back."""

    def __init__(self) -> None:
        self._items = Items(EVENT_LIMIT)
        self.held = self._items.held

    def feed(self, data: bytes | memoryview) -> list[tuple[bytes, int]]:
        """The items that are whole now."""
        return [(item, len(item)) for item in self._items.feed(data)]


class EventStream:
    """The body of a watch. `problem`: why nothing more is read of it, "" while all is well."""

    def __init__(self, media_type: str, encoding: str | None, budget: Budget) -> None:
        self.media_type = media_type
        self.form, self.problem = form_of(media_type)
        self._budget = budget
        self._counted = 0  # bytes held that the budget knows of
        self.size = self.wire_size = 0
        self._decoder = Decoder(encoding, _ENDLESS)
        self._cutter = _cutter(self.form)
        self._start: int | None = None  # position of the first byte held
        if self.form not in (Form.PROTOBUF, Form.CBOR, Form.JSON):
            self.problem = self.problem or "a watch in a form that Kubernetes does not stream"

    def add(self, data: Data) -> list[Piece]:
        """The events that `data` completes."""
        self.wire_size += len(data.data)
        decoded = self._decoder.feed(data.data)
        self.size += len(decoded)
        if self.problem or not decoded:
            self.problem = self.problem or self._decoder.problem
            return []
        before = len(self._cutter.held)
        try:
            events = self._cutter.feed(decoded)
        except UnreadableError as error:
            self._stop(str(error))
            return []
        self._budget.left -= len(self._cutter.held) - self._counted
        self._counted = len(self._cutter.held)
        if self._budget.left < 0:
            self._stop(f"bodies of over {STREAM_LIMIT} bytes at once")
        return self._pieces(events, before, data)

    def lose(self) -> None:
        """Bytes are missing: lines go on at the next newline, frames and codings don't."""
        self._start = None
        if isinstance(self._cutter, Lines) and self._decoder.coding == "identity":
            self._drop()
            self._cutter.skipping = True
        else:
            self._stop(self.problem or "bytes of a framed watch are missing")

    def finish(self, position: int, time: int) -> list[Piece]:
        """The body is over: what is held is an event cut off."""
        held = bytes(self._cutter.held)
        self._drop()
        if not held or self.problem or (isinstance(self._cutter, Lines) and self._cutter.skipping):
            return []
        start = self._start if self._start is not None else position - len(held)
        return [Piece("event", "in", start, time, Body(self.form, self.media_type, len(held), len(held), False, held))]

    def _stop(self, reason: str) -> None:
        self.problem = reason
        self._drop()

    def _drop(self) -> None:
        """Give up what is held."""
        self._budget.left += self._counted
        self._counted = 0
        self._cutter.held.clear()

    def body(self, complete: bool) -> Body:
        """The whole as far as it is kept: sizes."""
        doubts = (self.problem,) if self.problem else ()
        return Body(self.form, self.media_type, self.size, self.wire_size, complete, ambiguous=doubts)

    def saved(self) -> dict[str, Any] | None:
        """State of msgpack types, None in the middle of a coding."""
        if self._decoder.coding != "identity":
            return None
        skipping = isinstance(self._cutter, Lines) and self._cutter.skipping
        return _sizes(self) | {"data": bytes(self._cutter.held), "start": self._start, "skipping": skipping, "stopped": self.problem}

    @classmethod
    def restore(cls, saved: dict[str, Any], budget: Budget) -> Self:
        """A watch that goes on where it was saved."""
        stream = cls(saved["media_type"], None, budget)
        stream.size, stream.wire_size = saved["size"], saved["wire_size"]
        stream._cutter.feed(saved["data"])
        stream._start, stream.problem = saved["start"], saved["stopped"]
        if isinstance(stream._cutter, Lines):
            stream._cutter.skipping = saved["skipping"]
        return stream

    def _pieces(self, events: list[tuple[bytes, int]], before: int, data: Data) -> list[Piece]:
        coded = self._decoder.coding != "identity"  # then bytes have no positions of their own
        start = data.position if self._start is None or not before else self._start
        end = -before
        pieces = []
        for payload, size in events:
            end += size
            if payload.strip():
                pieces.append(Piece("event", "in", start, data.time, read_event(self.form, self.media_type, payload)))
            start = data.position if coded else data.position + end
        self._start = start
        return pieces


def _cutter(form: Form) -> Cutter:
    if form is Form.PROTOBUF:
        return Frames()
    return Sequence() if form is Form.CBOR else Lines()


class LogStream:
    """The body of a log: text in pieces as it came, raw."""

    def __init__(self, media_type: str, encoding: str | None) -> None:
        self.media_type = media_type
        self.size = self.wire_size = 0
        self._decoder = Decoder(encoding, _ENDLESS)

    @property
    def problem(self) -> str:
        """Why nothing more is read."""
        return self._decoder.problem

    def add(self, data: Data) -> list[Piece]:
        """The text that `data` brings."""
        self.wire_size += len(data.data)
        text = bytes(self._decoder.feed(data.data))
        self.size += len(text)
        body = Body(Form.TEXT, self.media_type, len(text), len(data.data), True, text)
        return [Piece("log", "in", data.position, data.time, body)] if text else []

    def lose(self) -> None:
        """Bytes are missing: the text goes on."""

    def finish(self, position: int, time: int) -> list[Piece]:
        """The body is over."""
        return []

    def body(self, complete: bool) -> Body:
        """The whole as far as it is kept: sizes."""
        doubts = (self.problem,) if self.problem else ()
        return Body(Form.TEXT, self.media_type, self.size, self.wire_size, complete, ambiguous=doubts)

    def saved(self) -> dict[str, Any] | None:
        """State of msgpack types, None in the middle of a coding."""
        return _sizes(self) | {"data": b""} if self._decoder.coding == "identity" else None

    @classmethod
    def restore(cls, saved: dict[str, Any]) -> Self:
        """A log that goes on where it was saved."""
        stream = cls(saved["media_type"], None)
        stream.size, stream.wire_size = saved["size"], saved["wire_size"]
        return stream


def _sizes(stream: EventStream | LogStream) -> dict[str, Any]:
    return {"media_type": stream.media_type, "size": stream.size, "wire_size": stream.wire_size}
