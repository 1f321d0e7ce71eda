"""Orders as they come → values. What an order may say is checked here and in lane.py; nothing is done here."""

from dataclasses import dataclass
from enum import StrEnum

from chaperone.agent.hold.lane import OrderError, Piece
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.refusals import Refusal


class Name(StrEnum):
    """The orders, as outcomes name them."""

    PASS = "pass"
    SKIP = "skip"
    WRITE = "write"
    ANSWER = "answer"
    AGAIN = "again"
    WAIT = "wait"
    KILL = "kill"


class Target(StrEnum):
    """What a kill ends."""

    CONNECTION = "connection"
    PROCESS = "process"
    WORKLOAD = "workload"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do about one hold. `free`: bytes of the collector's own, which the node must allow."""

    hold: str
    name: Name
    pieces: tuple[Piece, ...] = ()
    released: int = 0
    free: bytes = b""
    until: int = 0
    target: Target = Target.CONNECTION


TARGETS = (Target.CONNECTION, Target.PROCESS, Target.WORKLOAD)


def order_of(message: wire.Order, allow_edits: bool) -> Order:
    """OrderError for one that this version does not know, or that the node does not allow."""
    kind = message.WhichOneof("action")
    if kind is None or kind not in set(Name):
        raise OrderError("an order of a kind that is not known")
    name, said = Name(kind), getattr(message, kind)
    if name is Name.WAIT:
        return Order(message.hold, name, until=said.until_ns)
    if name is Name.KILL:
        return Order(message.hold, name, target=_target(said.target))
    if name not in (Name.WRITE, Name.ANSWER):
        return Order(message.hold, name)
    if said.data and not allow_edits:
        raise OrderError("bytes of the collector's own, and this node does not allow edits")
    return Order(message.hold, name, tuple(map(_piece, said.parts)), said.released, said.data)


def _target(number: int) -> Target:
    if number >= len(TARGETS):
        raise OrderError("a target that is not known")
    return TARGETS[number]


def _piece(part: wire.Part) -> Piece:
    said = part.refusal
    return Piece(part.begin, part.end, part.template, Refusal(said.id, said.message, said.h2_stream, said.credit, said.bodiless))
