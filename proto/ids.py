"""How ids are made: short hashes over facts that never change, never over the wall clock.

An id is 32 hex digits (BLAKE2b, 128 bits) over its parts, each preceded by its length, so that no two lists of
parts give the same bytes. The same facts seen twice (a batch sent again, a restarted collector) give the same id.
"""

import hashlib
from functools import lru_cache
from typing import NewType

StreamId = NewType("StreamId", str)
CallId = NewType("CallId", str)
ProcessId = NewType("ProcessId", str)
SessionId = NewType("SessionId", str)
ConnectionId = NewType("ConnectionId", str)


def process_id(boot_id: str, pid: int, started_ns: int) -> ProcessId:
    """A process: boot, pid in the agent's pid namespace, start in boot-time nanoseconds."""
    return ProcessId(_digest("process", boot_id, pid, started_ns))


def stream_id(process: ProcessId, handle: int, first_ns: int) -> StreamId:
    """The plaintext of one TLS object: its process, address and the time of its first event (addresses are reused)."""
    return StreamId(_digest("stream", process, handle, first_ns))


def session_id(workload: str, started_ns: int) -> SessionId:
    """What one workload did without a pause, by the boot time of its start."""
    return SessionId(_digest("session", workload, started_ns))


@lru_cache(1024)
def call_id(stream: StreamId, position: int) -> CallId:
    """An exchange, by the OUT position of its request's first byte."""
    return CallId(_digest("call", stream, position))


def connection_id(process: ProcessId, cookie: int, opened_ns: int) -> ConnectionId:
    """A socket's use, by its first packet's time: a socket that was quiet for long begins another."""
    return ConnectionId(_digest("connection", process, cookie, opened_ns))


def _digest(kind: str, *parts: str | int) -> str:
    digest = hashlib.blake2b(digest_size=16, person=b"chaperone-id")
    for part in (kind, *map(str, parts)):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()
