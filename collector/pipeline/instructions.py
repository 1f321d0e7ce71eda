"""Orders as an agent is told them (capture.proto)."""

from chaperone.collector.enforce.kills import Kill
from chaperone.collector.rules.verdict import Ends
from chaperone.collector.wire.compose.units import Name, Order, Part
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction

_TARGETS = {Ends.CONNECTION: pb.Kill.CONNECTION, Ends.PROCESS: pb.Kill.PROCESS, Ends.SESSION: pb.Kill.WORKLOAD}


def ordered(hold: str, order: Order) -> pb.Downward:
    """What to do about one hold."""
    return pb.Downward(order=_message(hold, order))


def waiting(hold: str, until_ns: int) -> pb.Downward:
    """It stays, until this boot time of the agent's node at the longest."""
    return pb.Downward(order=pb.Order(hold=hold, wait=pb.Wait(until_ns=until_ns)))


def killed(hold: str, target: pb.Kill.Target = pb.Kill.CONNECTION) -> pb.Downward:
    """It ends."""
    return pb.Downward(order=pb.Order(hold=hold, kill=pb.Kill(target=target)))


def ending(kill: Kill) -> pb.Downward:
    """Something ends that no hold is about."""
    return pb.Downward(order=pb.Order(kill=pb.Kill(target=_TARGETS[kill.target], id=kill.subject, order=kill.id)))


def ended(subject: str) -> pb.Downward:
    """A stream's connection, or a connection, ends: it was there before its session was held."""
    return pb.Downward(order=pb.Order(kill=pb.Kill(target=pb.Kill.CONNECTION, id=subject, order=f"late-{subject}")))


def hold_from(stream: StreamId, direction: Direction, position: int) -> pb.Downward:
    """From where on calls are held."""
    return pb.Downward(hold_from=pb.HoldFrom(stream=stream, direction=pb.OUT if direction is Direction.OUT else pb.IN, position=position))


def _message(hold: str, order: Order) -> pb.Order:
    parts = [_part(part) for part in order.parts]
    match order.name:
        case Name.WRITE:
            return pb.Order(hold=hold, write=pb.Write(parts=parts, released=order.released))
        case Name.ANSWER:
            return pb.Order(hold=hold, answer=pb.Answer(parts=parts, released=order.released))
        case Name.SKIP:
            return pb.Order(hold=hold, skip=pb.Skip())
        case Name.AGAIN:
            return pb.Order(hold=hold, again=pb.Again())
    message = pb.Order(hold=hold)
    getattr(message, "pass").SetInParent()  # a word of Python
    return message


def _part(part: Part) -> pb.Part:
    refusal = part.refusal
    if refusal is None:
        return pb.Part(begin=part.begin, end=part.end)
    told = pb.Refusal(
        id=refusal.id,
        message=refusal.message,
        h2_stream=refusal.h2_stream,
        credit=refusal.credit,
        bodiless=refusal.bodiless,
    )
    return pb.Part(begin=part.begin, end=part.end, template=part.template, refusal=told)
