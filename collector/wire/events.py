"""What the readers say happened on a stream: plain values, named as in RFC 9110, RFC 6455 and the SPDY/3.1 draft.

`exchange` is the OUT position of the first byte of a request: its key within the stream, also before the response
is there. `position` is that of the event's first byte in its direction, `time` the boot-time ns of the chunk that
completed it. Header names are lower case; a name or value is None where an HPACK table joined late does not know it.
`size` counts the bytes on the stream that an event stands for, framing included: over an exchange they add up.
"""

from dataclasses import dataclass
from enum import StrEnum

from chaperone.proto.records import Direction

Header = tuple[str | None, str | None]


class Protocol(StrEnum):
    """What a stream or an upgraded exchange speaks."""

    HTTP1 = "http/1.1"
    HTTP2 = "h2"
    WEBSOCKET = "websocket"
    SPDY = "spdy/3.1"


@dataclass(frozen=True, slots=True)
class Request:
    """A request head. `target` as sent (RFC 9112 §3.2; HTTP/2 `:path`), `authority` from Host or `:authority`."""

    exchange: int
    time: int
    protocol: Protocol
    method: str | None
    target: str | None
    authority: str | None
    headers: tuple[Header, ...]
    size: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """A response head; 1xx except 101 are interim and more follow. `status` is None when a late HPACK table hides it."""

    exchange: int
    position: int
    time: int
    status: int | None
    headers: tuple[Header, ...]
    size: int = 0


@dataclass(frozen=True, slots=True)
class Data:
    """Body bytes (content coding still on, transfer coding off). One body byte is in one Data, never copied twice."""

    exchange: int
    direction: Direction
    position: int
    time: int
    data: bytes | memoryview
    size: int = 0


@dataclass(frozen=True, slots=True)
class Trailers:
    """Header fields behind a body."""

    exchange: int
    direction: Direction
    position: int
    time: int
    headers: tuple[Header, ...]
    size: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The message of this direction is over; `position` is just behind it. `complete` is False when it was cut off."""

    exchange: int
    direction: Direction
    position: int
    time: int
    complete: bool = True
    size: int = 0


@dataclass(frozen=True, slots=True)
class Reset:
    """One side gave the exchange up (HTTP/2 RST_STREAM). A normal end of a watch when the client says CANCEL."""

    exchange: int
    direction: Direction
    position: int
    time: int
    code: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The exchange's bytes now speak `protocol`; `subprotocol` is the one in force. An unknown protocol stays opaque Data."""

    exchange: int
    position: int
    time: int
    protocol: str
    subprotocol: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A WebSocket data message (fragments joined, unmasked). Control frames are not reported, but Closed is.

    It is whole when `offset` is 0 and `final` is set. A message above the reader's limit, or with a hole in it, comes in
    parts: `offset` counts the message's bytes before this part (lost ones too; -1 when its beginning was never seen).
    `fragmented`: it came in more than one frame, which golang.org/x/net/websocket reads as several messages.
    """

    exchange: int
    direction: Direction
    position: int
    time: int
    text: bool
    data: bytes
    offset: int = 0
    final: bool = True
    size: int = 0
    fragmented: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """A WebSocket close frame or SPDY GOAWAY."""

    exchange: int
    direction: Direction
    position: int
    time: int
    code: int
    reason: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class StrandOpened:
    """A SPDY stream within an upgraded exchange. `headers` is empty when the zlib window was joined late."""

    exchange: int
    direction: Direction
    position: int
    time: int
    strand: int
    headers: tuple[Header, ...]
    size: int = 0


@dataclass(frozen=True, slots=True)
class StrandData:
    """Bytes of a SPDY stream. `end`: FIN, this direction of the strand says no more."""

    exchange: int
    direction: Direction
    position: int
    time: int
    strand: int
    data: bytes | memoryview
    end: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class StrandReset:
    """One side gave the strand up (SPDY RST_STREAM)."""

    exchange: int
    direction: Direction
    position: int
    time: int
    strand: int
    code: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """`size` bytes from `position` are missing. `exchange` is None when they cannot be laid to one."""

    exchange: int | None
    direction: Direction
    position: int
    size: int
    time: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """From here on this direction (or, with an exchange, that one only) cannot be parsed. `reason` quotes no payload."""

    exchange: int | None
    direction: Direction
    position: int
    time: int
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Reading goes on behind a hole; `evidence` says why this must be a boundary."""

    direction: Direction
    position: int
    time: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Two readers could understand these bytes differently; enforcement refuses them."""

    exchange: int
    direction: Direction
    position: int
    time: int
    reason: str


Event = (
    Request
    | Response
    | Data
    | Trailers
    | End
    | Reset
    | Upgraded
    | Message
    | Closed
    | StrandOpened
    | StrandData
    | StrandReset
    | Lost
    | Unreadable
    | Resumed
    | Ambiguous
)
