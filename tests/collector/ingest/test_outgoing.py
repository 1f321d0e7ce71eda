import asyncio
from typing import Any

from chaperone.collector.ingest.outgoing import Line, Outgoing
from chaperone.proto import capture_pb2 as pb

MESSAGE = pb.Downward(order=pb.Order(hold="h"))


def said(line: Line) -> list[Any]:
    """All that waits, in the order in which it goes out."""

    async def work() -> list[Any]:
        line.put(None)
        return [item async for item in _until_over(line)]

    return asyncio.run(work())


async def _until_over(line: Line) -> Any:
    while (item := await line.get()) is not None:
        yield item


def ack(batch: int, agent: str = "") -> pb.Downward:
    return pb.Downward(ack=pb.Ack(batch=batch, agent=agent))


def test_an_agent_is_told_on_the_call_that_it_opened_last() -> None:
    outgoing = Outgoing()
    with outgoing.line("a") as first:
        with outgoing.line("a") as second, outgoing.line("b") as other:
            outgoing.tell("a", MESSAGE)
            assert (said(first), said(other), said(second)) == ([], [], [MESSAGE])
        outgoing.tell("a", MESSAGE)
        assert said(first) == [], "its place was taken"
    with outgoing.line("a") as third:
        outgoing.tell("a", MESSAGE)
        assert said(third) == [MESSAGE]


def test_an_agent_without_a_call_hears_nothing_and_harms_nobody() -> None:
    Outgoing().tell("a", MESSAGE)


def test_all_that_hear_are_told_and_counted() -> None:
    outgoing = Outgoing()
    assert outgoing.tell_all(MESSAGE) == 0
    with outgoing.line("a") as first, outgoing.line("b") as second:
        assert outgoing.tell_all(MESSAGE) == 2
        assert said(first) == said(second) == [MESSAGE]
        assert outgoing.hears("a") and not outgoing.hears("c")


def test_an_order_waits_behind_no_ack() -> None:
    line = Line()
    for number in range(1, 300):
        line.put(ack(number))
    line.tell(MESSAGE)
    assert said(line) == [MESSAGE, ack(299)]


def test_an_ack_stands_for_those_before_it_of_the_same_agent() -> None:
    line, refused = Line(), pb.Downward(leftover_refused=pb.LeftoverRefused(agent="c"))
    for item in (ack(1), ack(4, "b"), refused, ack(2), ack(5, "b"), ack(1)):
        line.put(item)
    assert said(line) == [ack(2), ack(5, "b"), refused]


def test_an_ack_that_was_said_is_followed_by_the_next() -> None:
    async def work() -> None:
        line = Line()
        line.put(ack(1))
        assert await line.get() == ack(1)
        getting = asyncio.ensure_future(line.get())
        await asyncio.sleep(0)
        assert not getting.done()
        line.put(ack(2))
        assert await getting == ack(2)

    asyncio.run(work())
