"""Decisions of people at this machine: one line of JSON each way on a Unix socket whose peers the kernel names.

A line {approval, approve, why} is answered by {approval} or {error}. gRPC does not say who is at a socket's other end, so this is one
of its own.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from chaperone.collector.serve.peer import Peer, PeerError, peer_of

LINE_LIMIT = 64 << 10
PATIENCE_S = 30.0
Decide = Callable[[Peer, str, bool, str], Awaitable[Mapping[str, Any]]]  # who, which approval, yes or no, why; ValueError


@asynccontextmanager
async def deciding(path: Path, decide: Decide, activity: AbstractContextManager[Any]) -> AsyncIterator[None]:
    """Serve at `path` meanwhile. Bound with a umask, so that the socket never has a wider mode."""
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(lambda reader, writer: _served(reader, writer, decide, activity), path, limit=LINE_LIMIT)
    finally:
        os.umask(before)
    try:
        async with server:
            yield
    finally:
        path.unlink(missing_ok=True)


async def _served(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decide: Decide, activity: AbstractContextManager[Any]
) -> None:
    with activity, suppress(ConnectionError):
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await _answer(reader, writer, decide)
        except TimeoutError:
            answer = {"error": "nothing was decided in time; chaperone approvals show says how it stands"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decide: Decide) -> dict[str, Any]:
    try:
        peer = peer_of(writer.get_extra_info("socket"))
        given = word_in(await reader.readuntil(b"\n"))
        return {"approval": await decide(peer, given["approval"], given["approve"], given["why"])}
    except (PeerError, ValueError) as error:
        return {"error": str(error)}
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return {"error": "expected one line"}


def word_in(line: bytes | str) -> dict[str, Any]:
    """{approval, approve, why}. ValueError."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("expected JSON") from None
    kinds = {"approval": str, "approve": bool, "why": str}
    if not isinstance(found, dict) or found.keys() != kinds.keys() or not all(isinstance(found[key], kind) for key, kind in kinds.items()):
        raise ValueError("expected {approval, approve, why}")
    return found
