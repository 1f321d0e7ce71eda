import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from chaperone.collector.identity.caller import CALLER, OWNER
from chaperone.collector.serve.local_line import LocalLine
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.local_line import HEAD, MESSAGE, REFUSAL, Refusal, head_of, message_frame, refusal_of

LIMIT = 1000
Answer = tuple[int, bytes]


async def echo(messages: AsyncIterator[pb.Upward], context: Any) -> AsyncIterator[pb.Downward]:
    """Acks what comes; refuses batch 9; sees to it that the caller is known."""
    assert CALLER.get() is OWNER
    async for message in messages:
        if message.batch.number == 9:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no room")
        yield pb.Downward(ack=pb.Ack(batch=message.batch.number))


def batch(number: int, size: int = 0) -> bytes:
    return message_frame(pb.Upward(batch=pb.Batch(number=number, records=b"x" * size)))


def said(tmp_path: Path, *frames: bytes, converse: Callable[..., Any] = echo) -> list[Answer]:
    """What the frames are answered with, until the line ends."""

    async def work(path: Path) -> list[Answer]:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"".join(frames))
        writer.write_eof()
        found = [answer async for answer in _answers(reader)]
        writer.close()
        return found

    return listening(tmp_path, work, converse)


async def _answers(reader: asyncio.StreamReader) -> AsyncIterator[Answer]:
    while head := await reader.read(HEAD.size):
        size, kind = head_of(head)
        yield kind, await reader.readexactly(size)


def listening(tmp_path: Path, work: Callable[[Path], Awaitable[Any]], converse: Callable[..., Any] = echo) -> Any:
    async def run() -> Any:
        async with LocalLine(converse, LIMIT).listening(tmp_path / "l"):
            return await asyncio.wait_for(work(tmp_path / "l"), 30)

    return asyncio.run(run())


def numbers(found: list[Answer]) -> list[int]:
    return [pb.Downward.FromString(data).ack.batch for kind, data in found if kind == MESSAGE]


def test_each_message_is_answered_in_order(tmp_path: Path) -> None:
    assert numbers(said(tmp_path, *map(batch, (1, 2, 3)))) == [1, 2, 3]


def test_a_refusal_is_the_last_word(tmp_path: Path) -> None:
    found = said(tmp_path, *map(batch, (1, 9, 2)))
    assert [kind for kind, _ in found] == [MESSAGE, REFUSAL]
    assert refusal_of(found[1][1]) == Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], "no room")


@pytest.mark.parametrize("frames", [(batch(1), batch(2)[:-1]), (batch(1), batch(2)[:3])])
def test_a_message_that_never_became_whole_is_none(tmp_path: Path, frames: tuple[bytes, ...]) -> None:
    assert numbers(said(tmp_path, *frames)) == [1]


@pytest.mark.parametrize("frame", [HEAD.pack(LIMIT + 1, MESSAGE), HEAD.pack(1, REFUSAL) + b"x", HEAD.pack(1, 9) + b"x"])
def test_what_no_agent_sends_is_a_fault_of_the_conversation(tmp_path: Path, frame: bytes) -> None:
    caught = list[str]()

    async def converse(messages: AsyncIterator[pb.Upward], _context: Any) -> AsyncIterator[pb.Downward]:
        try:
            async for message in messages:
                yield pb.Downward(ack=pb.Ack(batch=message.batch.number))
        except ValueError as error:
            caught.append(str(error))

    assert numbers(said(tmp_path, batch(1), frame, converse=converse)) == [1]
    assert len(caught) == 1


def test_the_socket_is_for_its_owner_and_gone_afterwards(tmp_path: Path) -> None:
    stale = socket.create_server(str(tmp_path / "l"), family=socket.AF_UNIX)

    async def work(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert listening(tmp_path, work) == 0o600
    stale.close()
    assert not (tmp_path / "l").exists()


def test_who_is_connected_at_the_end_is_hung_up_on(tmp_path: Path) -> None:
    ended = list[bool]()

    async def converse(messages: AsyncIterator[pb.Upward], _context: Any) -> AsyncIterator[pb.Downward]:
        try:
            async for message in messages:
                yield pb.Downward(ack=pb.Ack(batch=message.batch.number))
        finally:
            ended.append(True)

    async def run() -> bytes:
        async with LocalLine(converse, LIMIT).listening(tmp_path / "l"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "l")
            writer.write(batch(1))
            await reader.readexactly(HEAD.size)
        rest = await reader.read()
        writer.close()
        return rest

    assert asyncio.run(run()) and ended == [True]


def test_an_agent_that_reads_nothing_makes_only_itself_wait(tmp_path: Path) -> None:
    async def flood(messages: AsyncIterator[pb.Upward], _context: Any) -> AsyncIterator[pb.Downward]:
        async for message in messages:
            while message.batch.number == 1:
                yield pb.Downward(order=pb.Order(hold="x" * 60_000))
            yield pb.Downward(ack=pb.Ack(batch=message.batch.number))

    async def work(path: Path) -> list[int]:
        _, flooded = await asyncio.open_unix_connection(path)
        flooded.write(batch(1))
        await flooded.drain()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(batch(2))
        writer.write_eof()
        found = [answer async for answer in _answers(reader)]
        for each in (writer, flooded):
            each.close()
        return numbers(found)

    assert listening(tmp_path, work, flood) == [2]
