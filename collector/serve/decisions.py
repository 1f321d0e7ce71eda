"""Words of people at this machine that need a name: one line of JSON each way on a Unix socket whose peers the kernel names.

A line {approval, approve, why}, {kill, id, why} or {glass, for, nodes, why} is answered by {done} or {error}. gRPC does not say who
is at a socket's other end, so this is one of its own.
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
Decide = Callable[[Peer, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]  # who, and their word; ValueError
_APPROVAL: dict[str, type] = {"approval": str, "approve": bool, "why": str}
_KILL: dict[str, type] = {"kill": str, "id": str, "why": str}
_GLASS: dict[str, type] = {"glass": bool, "for": str, "nodes": list, "why": str}
_WORDS = (_APPROVAL, _KILL, _GLASS)


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
        return {"done": await decide(peer, word_in(await reader.readuntil(b"\n")))}
    except (PeerError, ValueError) as error:
        return {"error": str(error)}
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return {"error": "expected one line"}


def word_in(line: bytes | str) -> dict[str, Any]:
    """One of them. ValueError."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("expected JSON") from None
    if not isinstance(found, dict) or not any(_is(found, kinds) for kinds in _WORDS):
        raise ValueError("expected {approval, approve, why}, {kill, id, why} or {glass, for, nodes, why}")
    return found


def _is(found: dict[str, Any], kinds: dict[str, type]) -> bool:
    return found.keys() == kinds.keys() and all(isinstance(found[key], kind) for key, kind in kinds.items())
