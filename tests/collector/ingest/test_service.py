"""The service behind a real gRPC server on a Unix socket; what takes batches is a fake that can be told to be full or slow."""

import asyncio
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from support.collectors import acked, batch, hello

from chaperone.collector.ingest.leftovers import Opener
from chaperone.collector.ingest.outgoing import Outgoing
from chaperone.collector.ingest.service import Arrival, CaptureService, Greeting, Standing, Taken
from chaperone.collector.settings import CollectorSettings
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.capture_pb2_grpc import CaptureStub, add_CaptureServicer_to_server
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note
from chaperone.proto.sealed import KEY_SIZE, Frames, public_of, seal_key

NOTE = Note(SessionId("s"), 1, "x", "y")
PRIVATE, KEY = X25519PrivateKey.generate(), os.urandom(KEY_SIZE)


class Intake:
    """Takes batches; `full` is why nothing is durable, `durable` when they are."""

    def __init__(self, stored: int = 1) -> None:
        self.taken: list[int] = []
        self.stored, self.full, self.outgoing = stored, "", Outgoing()
        self.through: int | None = None
        self.durable = asyncio.Event()
        self.durable.set()

    def refusal(self) -> str:
        return self.full

    async def greet(self, greeting: Greeting) -> Standing:
        return Standing(self.stored)

    async def take(self, arrival: Arrival) -> Taken:
        arrival.records()
        self.taken.append(arrival.number)
        return Taken(asyncio.ensure_future(self._wait()), self.through)

    def settled(self, agent: str) -> Taken:
        return Taken(asyncio.ensure_future(self._wait()), self.through)

    async def _wait(self) -> str:
        await self.durable.wait()
        return self.full


def served(tmp_path: Path, intake: Intake, talk: Any, opener: Opener | None = None) -> Any:
    """Run `talk(stub)` against the service."""

    async def run() -> Any:
        server = grpc.aio.server()
        settings = CollectorSettings(tmp_path, batch_limit=1000, batches_under_way=8)
        add_CaptureServicer_to_server(CaptureService(intake, settings, nullcontext(), opener), server)
        target = f"unix:{tmp_path}/s"
        server.add_insecure_port(target)
        await server.start()
        try:
            async with grpc.aio.insecure_channel(target) as channel:
                return await asyncio.wait_for(talk(CaptureStub(channel)), 10)
        finally:
            await server.stop(0)

    return asyncio.run(run())


def answers(tmp_path: Path, intake: Intake, *messages: pb.Upward) -> list[pb.Downward]:
    async def talk(stub: Any) -> list[pb.Downward]:
        return [answer async for answer in stub.Stream(iter(messages))]

    found: list[pb.Downward] = served(tmp_path, intake, talk)
    return found


def refused(tmp_path: Path, intake: Intake, *messages: pb.Upward) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        answers(tmp_path, intake, *messages)
    return caught.value.code(), caught.value.details()


def test_batches_are_acked_in_order(tmp_path: Path) -> None:
    intake = Intake()
    found = answers(tmp_path, intake, hello(), *[batch(number, [NOTE]) for number in (1, 2, 3)])
    assert (found[0].welcome.contract, found[0].welcome.next_batch) == (1, 1)
    assert acked(found) == sorted(acked(found)) and acked(found)[-1:] == [3], "one says as much as those before it"
    assert intake.taken == [1, 2, 3]


def test_no_batch_is_acked_that_a_stream_still_needs(tmp_path: Path) -> None:
    intake = Intake()
    intake.through = 1
    assert set(acked(answers(tmp_path, intake, hello(), *(batch(number, [NOTE]) for number in (1, 2, 3))))) == {1}
    intake.through = 0
    assert acked(answers(tmp_path, intake, hello("b"), batch(1, [NOTE]))) == []


def test_nothing_is_acked_before_it_is_durable(tmp_path: Path) -> None:
    intake = Intake()

    async def talk(stub: Any) -> None:
        intake.durable.clear()
        call = stub.Stream()
        for message in (hello(), batch(1, [NOTE])):
            await call.write(message)
        assert (await call.read()).WhichOneof("message") == "welcome"
        reading = asyncio.ensure_future(call.read())
        await asyncio.sleep(0.3)
        assert intake.taken == [1] and not reading.done()
        intake.durable.set()
        assert (await reading).ack.batch == 1
        await call.done_writing()

    served(tmp_path, intake, talk)


def test_what_was_stored_or_taken_before_is_acked_and_not_taken_again(tmp_path: Path) -> None:
    intake = Intake(stored=3)
    found = answers(tmp_path, intake, hello(), *[batch(number, [NOTE]) for number in (1, 2, 3, 3)])
    assert found[0].welcome.next_batch == 3
    assert acked(found) == sorted(acked(found)) and acked(found)[-1:] == [3]
    assert intake.taken == [3]


def test_a_batch_that_is_taken_again_on_another_call_waits_for_the_first_taking(tmp_path: Path) -> None:
    intake = Intake()

    async def talk(stub: Any) -> None:
        intake.durable.clear()
        first = stub.Stream()
        for message in (hello(), batch(1, [NOTE])):
            await first.write(message)
        await first.read()
        while not intake.taken:
            await asyncio.sleep(0.01)
        first.cancel()
        second = stub.Stream(iter([hello(), batch(1, [NOTE])]))
        assert (await second.read()).welcome.next_batch == 1
        reading = asyncio.ensure_future(second.read())
        await asyncio.sleep(0.2)
        assert not reading.done()
        intake.durable.set()
        assert (await reading).ack.batch == 1
        assert intake.taken == [1]

    served(tmp_path, intake, talk)


def test_a_full_store_is_said_so_that_the_agent_comes_again(tmp_path: Path) -> None:
    intake = Intake()
    intake.full = "no space left"
    code, sentence = refused(tmp_path, intake, hello(), batch(1, [NOTE]))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert sentence == "the collector cannot store anything now: no space left"
    assert intake.taken == []


def test_a_store_that_gets_full_while_writing_acks_nothing(tmp_path: Path) -> None:
    intake = Intake()

    async def talk(stub: Any) -> grpc.StatusCode:
        intake.durable.clear()
        call = stub.Stream(iter([hello(), batch(1, [NOTE])]))
        await call.read()
        while not intake.taken:
            await asyncio.sleep(0.01)
        intake.full = "no space left"
        intake.durable.set()
        return (await call.code()) or grpc.StatusCode.OK

    assert served(tmp_path, intake, talk) is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("messages", "status", "sentence"),
    [
        ([], grpc.StatusCode.INVALID_ARGUMENT, "the first message is not Hello"),
        ([batch(1, [NOTE])], grpc.StatusCode.INVALID_ARGUMENT, "the first message is not Hello"),
        ([hello(contract=7)], grpc.StatusCode.FAILED_PRECONDITION, "contract 7, this collector 1 and 0"),
        ([hello("")], grpc.StatusCode.INVALID_ARGUMENT, "1 to 128 characters"),
        ([hello("x" * 129)], grpc.StatusCode.INVALID_ARGUMENT, "1 to 128 characters"),
        ([hello(), batch(2, [NOTE])], grpc.StatusCode.INVALID_ARGUMENT, "batch 2 follows batch 0: numbers have no gaps"),
        ([hello(), pb.Upward(batch=pb.Batch(number=1, size=1001))], grpc.StatusCode.INVALID_ARGUMENT, "1001 bytes, at most 1000"),
        ([hello(), pb.Upward(batch=pb.Batch(number=1, records=b"x", size=5))], grpc.StatusCode.INVALID_ARGUMENT, "no zstd frame"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, messages: list[pb.Upward], status: grpc.StatusCode, sentence: str) -> None:
    code, said = refused(tmp_path, Intake(), *messages)
    assert code is status and sentence in said


def test_the_contract_before_is_understood(tmp_path: Path) -> None:
    assert answers(tmp_path, Intake(), hello(contract=0))[0].welcome.contract == 1


def test_two_agents_have_numbers_of_their_own(tmp_path: Path) -> None:
    intake = Intake()

    async def talk(stub: Any) -> list[list[int]]:
        return [acked([a async for a in stub.Stream(iter([hello(name), batch(1, [NOTE])]))]) for name in ("a", "b")]

    assert served(tmp_path, intake, talk) == [[1], [1]]
    assert intake.taken == [1, 1]


def test_only_so_many_batches_are_under_way(tmp_path: Path) -> None:
    intake = Intake()

    async def talk(stub: Any) -> None:
        intake.durable.clear()
        call = stub.Stream(iter([hello(), *[batch(number, [NOTE]) for number in range(1, 30)]]))
        await call.read()
        await asyncio.sleep(0.5)
        assert 8 <= len(intake.taken) <= 10
        intake.durable.set()
        while (await call.read()).ack.batch < 29:
            continue
        assert intake.taken == list(range(1, 30))

    served(tmp_path, intake, talk)


class Broken(Intake):
    """Fails on a batch as only a fault of ours could."""

    async def take(self, arrival: Arrival) -> Taken:
        raise KeyError("payload-of-somebody")


def test_a_fault_of_ours_ends_the_call_and_quotes_nothing(tmp_path: Path) -> None:
    status, sentence = refused(tmp_path, Broken(), hello(), batch(1, [NOTE]))
    assert status is grpc.StatusCode.INTERNAL
    assert "KeyError at test_service.py" in sentence and "payload" not in sentence


class Living(Intake):
    """Remembers how far each agent is, as a store does."""

    def __init__(self, stored: int = 1) -> None:
        super().__init__(stored)
        self.greeted: list[Greeting] = []

    async def greet(self, greeting: Greeting) -> Standing:
        self.greeted.append(greeting)
        return Standing(self.stored if greeting.agent == "dead" else 1)


def heirloom(*numbers: int, last: bool = False, records: list[Any] | None = None) -> list[pb.Upward]:
    """What an agent called dead left."""
    sealed = seal_key(KEY, "dead", public_of(PRIVATE))
    batches = [batch(number, records or [NOTE]).batch for number in numbers]
    frames = [pb.Leftover(agent="dead", sealed_key=sealed, number=b.number, frame=Frames(KEY, "dead").seal(b)) for b in batches]
    ending = [pb.Leftover(agent="dead", sealed_key=sealed, last=batch(0, [NOTE]).batch)] if last else []
    return [pb.Upward(leftover=leftover) for leftover in [*frames, *ending]]


def inherited(tmp_path: Path, intake: Intake, *messages: pb.Upward, key: X25519PrivateKey | None = None) -> list[pb.Downward]:
    async def talk(stub: Any) -> list[pb.Downward]:
        return [answer async for answer in stub.Stream(iter([hello("heir"), *messages]))]

    found: list[pb.Downward] = served(tmp_path, intake, talk, Opener(key or PRIVATE))
    return found


def acks_of(found: list[pb.Downward]) -> dict[str, int]:
    """The last of each agent: it says as much as those before it."""
    return {answer.ack.agent: answer.ack.batch for answer in found if answer.WhichOneof("message") == "ack"}


def test_what_a_dead_agent_left_is_taken_in_its_name_and_once(tmp_path: Path) -> None:
    intake = Living(stored=3)
    found = inherited(tmp_path, intake, *heirloom(1, 2, 3, 4, 4, last=True), batch(1, [NOTE]))
    assert acks_of(found) == {"dead": 5, "": 1}
    assert intake.taken == [3, 4, 5, 1]
    assert found[0].welcome.collector_key == public_of(PRIVATE)


def test_numbers_that_the_disk_spoiled_are_jumped_over(tmp_path: Path) -> None:
    intake = Living()
    assert acks_of(inherited(tmp_path, intake, *heirloom(2, 5, last=True))) == {"dead": 6}
    assert intake.taken == [2, 5, 6]


def test_a_frame_that_does_not_open_is_passed_over(tmp_path: Path) -> None:
    messages = heirloom(1, 2)
    messages[0].leftover.frame = b"spoilt"
    assert acks_of(inherited(tmp_path, Living(), *messages)) == {"dead": 2}


def test_frames_that_did_not_open_are_told_at_the_end(tmp_path: Path) -> None:
    class Reading(Living):
        records: tuple[Any, ...] = ()

        async def take(self, arrival: Arrival) -> Taken:
            self.records += tuple(arrival.records())
            return await super().take(arrival)

    intake, messages = Reading(), heirloom(1, 2, 3, last=True)
    for message in messages[:2]:
        message.leftover.frame = b"spoilt"
    inherited(tmp_path, intake, *messages)
    assert [record.text for record in intake.records] == ["y", "2 batches of agent dead could not be opened", "y"]


def test_an_inherited_batch_that_is_none_does_not_stop_the_heir(tmp_path: Path) -> None:
    intake = Living()
    too_large = [Note(SessionId("s"), 1, "x", "y" * 2000)]
    found = inherited(tmp_path, intake, *heirloom(1, records=too_large), *heirloom(2), batch(1, [NOTE]))
    assert acks_of(found) == {"dead": 2, "": 1}


def test_what_is_sealed_to_another_key_is_refused_and_the_heirs_own_goes_on(tmp_path: Path) -> None:
    intake = Living()
    found = inherited(tmp_path, intake, *heirloom(1, last=True), batch(1, [NOTE]), key=X25519PrivateKey.generate())
    refusals = [answer.leftover_refused for answer in found if answer.WhichOneof("message") == "leftover_refused"]
    assert [(refusal.agent, refusal.reason) for refusal in refusals] == [("dead", "sealed to another key, or damaged")] * 2
    assert acks_of(found) == {"": 1} and intake.taken == [1]


def test_an_order_is_told_while_nothing_is_durable(tmp_path: Path) -> None:
    intake = Intake()

    async def talk(stub: Any) -> None:
        intake.durable.clear()
        call = stub.Stream()
        for message in (hello(), batch(1, [NOTE])):
            await call.write(message)
        assert (await call.read()).WhichOneof("message") == "welcome"
        while not intake.taken:
            await asyncio.sleep(0.01)
        intake.outgoing.tell("agent-1", pb.Downward(order=pb.Order(hold="h")))
        assert (await call.read()).order.hold == "h"
        intake.durable.set()
        assert (await call.read()).ack.batch == 1
        await call.done_writing()

    served(tmp_path, intake, talk)


def test_agents_are_told_which_pods_are_governed_and_when_that_changes(tmp_path: Path) -> None:
    async def work() -> None:
        intake = Intake()
        service = CaptureService(intake, CollectorSettings(tmp_path), nullcontext())
        selections = [pb.Selection(selectors=[pb.PodSelector(mode=mode)]) for mode in ("record", "enforce")]
        service.select(selections[0])
        server = grpc.aio.server()
        add_CaptureServicer_to_server(service, server)
        server.add_insecure_port(f"unix:{tmp_path}/socket")
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/socket") as channel:
            call = CaptureStub(channel).Stream()
            await call.write(hello())
            assert (await call.read()).welcome.selection == selections[0]
            await call.write(batch(1, [NOTE]))
            assert (await call.read()).ack.batch == 1
            service.select(selections[1])
            assert (await call.read()).settings.selection == selections[1]
            await call.done_writing()
        await server.stop(0)

    asyncio.run(work())


def test_an_agent_that_calls_is_told_at_once_what_it_has_missed(tmp_path: Path) -> None:
    async def talk(_stub: CaptureStub) -> list[pb.Downward]:
        service = CaptureService(Intake(), CollectorSettings(tmp_path), nullcontext())
        service.greet = lambda agent, node: [pb.Downward(glass=pb.Glass(id=f"{agent} on {node}"))]

        async def messages() -> Any:
            yield hello()
            assert service.calling() == {"agent-1": "node"}
            await asyncio.sleep(0.1)

        return [answer async for answer in service.Stream(messages(), None)]

    _, told = served(tmp_path, Intake(), talk)
    assert told.glass.id == "agent-1 on node"


def test_a_dead_agent_is_asked_for_once_in_a_call_of_its_heir(tmp_path: Path) -> None:
    intake = Living()
    found = inherited(tmp_path, intake, *heirloom(1, 2, 3))
    assert len(acked(found)) >= 1
    assert [(one.agent, one.call, one.step) for one in intake.greeted] == [("heir", 0, 1), ("dead", 0, 1)]
