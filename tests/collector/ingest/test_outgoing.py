import asyncio

from chaperone.collector.ingest.outgoing import Outgoing
from chaperone.proto import capture_pb2 as pb

MESSAGE = pb.Downward(order=pb.Order(hold="h"))


def test_an_agent_is_told_on_the_call_that_it_opened_last() -> None:
    async def work() -> None:
        outgoing = Outgoing()
        with outgoing.line("a") as first:
            with outgoing.line("a") as second, outgoing.line("b") as other:
                outgoing.tell("a", MESSAGE)
                assert (first.empty(), other.empty(), second.get_nowait()) == (True, True, MESSAGE)
            outgoing.tell("a", MESSAGE)
            assert first.empty(), "its place was taken"
        with outgoing.line("a") as third:
            outgoing.tell("a", MESSAGE)
            assert third.get_nowait() == MESSAGE

    asyncio.run(work())


def test_an_agent_without_a_call_hears_nothing_and_harms_nobody() -> None:
    Outgoing().tell("a", MESSAGE)


def test_all_that_hear_are_told_and_counted() -> None:
    async def work() -> None:
        outgoing = Outgoing()
        assert outgoing.tell_all(MESSAGE) == 0
        with outgoing.line("a") as first, outgoing.line("b") as second:
            assert outgoing.tell_all(MESSAGE) == 2
            assert first.get_nowait() == second.get_nowait() == MESSAGE
            assert outgoing.hears("a") and not outgoing.hears("c")

    asyncio.run(work())
