"""Agents of this machine: see proto/local_line.py. The socket is for its owner only, as the store's other ones.

The conversation itself is the same as gRPC's (ingest/service.py), which is told of no difference.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import grpc

from chaperone.collector.identity.caller import CALLER, OWNER
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.local_line import HEAD, MESSAGE, Refusal, head_of, message_frame, refusal_frame

READ_AHEAD = 1 << 20  # bytes that wait here for the conversation before who writes them has to wait
Converse = Callable[[AsyncIterator[pb.Upward], Any], Any]  # → AsyncGenerator of pb.Downward


class _AbortedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


class _Context:
    """What of gRPC's context a conversation uses."""

    async def abort(self, status: grpc.StatusCode, reason: str) -> NoReturn:
        raise _AbortedError(Refusal(status.value[0], reason))


class LocalLine:
    """Serves conversations. `limit`: bytes that one message may have."""

    def __init__(self, converse: Converse, limit: int) -> None:
        self._converse, self._limit = converse, limit
        self._open: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Serve there meanwhile; whoever is still connected then is hung up on. Bound with a umask, so that the socket never has a
        wider mode."""
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._served, path, limit=READ_AHEAD)
        finally:
            os.umask(before)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._open.add(task)
        CALLER.set(OWNER)
        try:
            with suppress(ConnectionError):
                await self._answered(self._messages(reader), writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _answered(self, messages: AsyncIterator[pb.Upward], writer: asyncio.StreamWriter) -> None:
        try:
            async with aclosing(self._converse(messages, _Context())) as answers:
                async for answer in answers:
                    writer.write(message_frame(answer))
                    await writer.drain()
        except _AbortedError as aborted:
            writer.write(refusal_frame(aborted.refusal))
            await writer.drain()

    async def _messages(self, reader: asyncio.StreamReader) -> AsyncIterator[pb.Upward]:
        """Until nothing more is said. ValueError of what is no message."""
        with suppress(asyncio.IncompleteReadError):
            while True:
                size, kind = head_of(await reader.readexactly(HEAD.size))
                if kind != MESSAGE or size > self._limit:
                    raise ValueError("a frame that no agent sends")
                yield pb.Upward.FromString(await reader.readexactly(size))
