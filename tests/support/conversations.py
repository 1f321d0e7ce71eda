"""Sessions as an agent would send them: a process, a stream, and HTTP/1.1 exchanges with a kube-apiserver on it."""

import json
from typing import Any

from chaperone.proto.ids import ProcessId, SessionId, StreamId, call_id, process_id, session_id, stream_id
from chaperone.proto.records import Chunk, Direction, ProcessSeen, Record, SessionEnded, SessionStarted, StreamClosed, StreamOpened

SECOND = 1_000_000_000


class Conversation:
    """One session with one process and one stream. Records come in the order of the calls; `time` goes on by itself."""

    def __init__(self, name: str = "one") -> None:
        self.session: SessionId = session_id(f"run {name}", 0)
        self.process: ProcessId = process_id("boot", 100, 5)
        self.stream: StreamId = stream_id(self.process, 7, hash_of(name))
        self.positions = [0, 0]
        self.time = SECOND

    def begun(self, *argv: str) -> list[Record]:
        return [
            SessionStarted(self.session, "run", self.tick(), "tester", argv or ("kubectl", "get", "pods"), "/home/tester", "node"),
            ProcessSeen(self.process, self.session, self.tick(), 4242, "/usr/bin/kubectl", argv or ("kubectl", "get", "pods")),
            StreamOpened(self.stream, self.process, self.session, self.tick(), "go", 7),
        ]

    def request(self, target: str, method: str = "GET", body: bytes = b"", headers: str = "") -> Record:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: api.test:6443\r\nUser-Agent: kubectl/v1.37\r\n{headers}{length}\r\n"
        return self.chunk(Direction.OUT, head.encode() + body)

    def answer(self, document: Any, code: int = 200) -> Record:
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nAudit-Id: audit-{self.positions[1]}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        return self.chunk(Direction.IN, head.encode() + body)

    def exchange(self, target: str, document: Any) -> list[Record]:
        return [self.request(target), self.answer(document)]

    def ended(self, status: int = 0) -> list[Record]:
        return [StreamClosed(self.stream, self.tick(), *self.positions), SessionEnded(self.session, self.tick(), status)]

    def chunk(self, direction: Direction, data: bytes) -> Chunk:
        position = self.positions[direction]
        self.positions[direction] += len(data)
        return Chunk(self.stream, direction, position, data, self.tick())

    def call_at(self, position: int) -> str:
        return call_id(self.stream, position)

    def tick(self) -> int:
        self.time += SECOND // 1000
        return self.time


def hash_of(name: str) -> int:
    return int.from_bytes(name.encode()[:7], "big")


def pods(count: int = 1, size: int = 10) -> dict[str, Any]:
    items = [{"metadata": {"name": f"pod-{n}", "namespace": "default", "annotations": {"filler": "x" * size}}} for n in range(count)]
    return {"kind": "PodList", "apiVersion": "v1", "items": items}
