"""Events of an upgraded exchange, short to write."""

from chaperone.collector.wire.events import Closed, End, Event, Lost, Message, StrandData, StrandOpened, StrandReset, Upgraded
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN

EXEC = "/api/v1/namespaces/n/pods/p/exec?command=sh&stdin=true&stdout=true&stderr=true"
FORWARD = "/api/v1/namespaces/n/pods/p/portforward"


def upgraded(subprotocol: str = "", protocol: str = "websocket") -> Upgraded:
    return Upgraded(0, 0, 0, protocol, subprotocol)


def message(data: bytes, direction: Direction = IN, offset: int = 0, final: bool = True) -> Message:
    return Message(0, direction, 10, 5, False, data, offset, final)


def opened(strand: int, **headers: str) -> StrandOpened:
    return StrandOpened(0, OUT, 0, 0, strand, tuple(headers.items()))


def strand(number: int, data: bytes, direction: Direction = IN, end: bool = False) -> StrandData:
    return StrandData(0, direction, 20, 6, number, data, end)


def reset(number: int, direction: Direction = IN) -> StrandReset:
    return StrandReset(0, direction, 30, 7, number, 5)


def lost(direction: Direction) -> Lost:
    return Lost(0, direction, 40, 10, 8)


ENDED: tuple[Event, ...] = (End(0, OUT, 50, 9), End(0, IN, 50, 9))
CLOSED = Closed(0, IN, 45, 9, 1000)
