"""The conversations that the decoding benchmark reads: made by independent peers (h2, wsproto), the same for everyone.

A conversation is a list of (direction, bytes), direction 0 from client to server, one piece a read of 64 KiB at most.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.settings
import wsproto
import wsproto.events

Conversation = list[tuple[int, bytes]]
READ = 65536
HOST = "127.0.0.1:6443"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Workload:
    """A named conversation with `calls` requests in it. `answers`: path to (headers, body), to be served for real."""

    name: str
    calls: int
    conversation: Conversation
    answers: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(len(data) for _, data in self.conversation)


def pieces(direction: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(data), READ):
        yield direction, data[start : start + READ]


class Http2Pair:
    """A client and a server that talk to each other in memory; what they say is kept."""

    def __init__(self) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1}
        self.client.local_settings = h2.settings.Settings(client=True, initial_values=window)
        self.client.initiate_connection()
        self.client.increment_flow_control_window(2**31 - 1 - 65535)
        self.server.initiate_connection()
        self.said: Conversation = []
        self.answers: dict[str, tuple[dict[str, str], bytes]] = {}
        self.exchange()
        self.exchange()

    def exchange(self) -> None:
        """Carry what both have to say to the other once, client first."""
        for direction, (source, sink) in enumerate(((self.client, self.server), (self.server, self.client))):
            if data := source.data_to_send():
                self.said.extend(pieces(direction, data))
                sink.receive_data(data)

    def get(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """One GET and its answer."""
        headers = {"content-type": "application/json", **headers}
        self.answers[path] = headers, body
        stream = self.client.get_next_available_stream_id()
        head = [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", path)]
        head += [("user-agent", "kubectl/v1.37.1 (linux/amd64) kubernetes/f78e722"), ("authorization", "Bearer " + "x" * 40)]
        self.client.send_headers(stream, [*head, ("accept", "application/json")], end_stream=True)
        self.exchange()
        common = {":status": "200", "audit-id": f"00000000-0000-4000-8000-{stream:012d}", "cache-control": "no-cache, private"}
        self.server.send_headers(stream, list({**common, **headers}.items()))
        for start in range(0, len(body), 16384):
            self.server.send_data(stream, body[start : start + 16384], end_stream=start + 16384 >= len(body))
        self.exchange()


def pod(number: int) -> dict[str, object]:
    labels = {"app": "web", "pod-template-hash": "5d78c9869d", "number": str(number)}
    meta = {"name": f"web-{number}", "namespace": "default", "uid": f"7d1f7b0e-0000-4000-8000-{number:012d}", "labels": labels}
    container = {"name": "web", "image": "registry.example/web:1.29", "env": [{"name": "MODE", "value": "production"}]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {"containers": [container], "nodeName": "node-1"}}


def pod_list(size: int) -> bytes:
    """A PodList of about `size` bytes."""
    one = len(json.dumps(pod(100000), separators=(",", ":"))) + 1
    items = [pod(number) for number in range(size // one)]
    return json.dumps(
        {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}, separators=(",", ":")
    ).encode()


def small_gets(count: int) -> Workload:
    pair = Http2Pair()
    for number in range(count):
        pair.get(f"/api/v1/namespaces/default/pods/web-{number}", json.dumps(pod(number)).encode(), {})
    return Workload("small JSON gets, one h2 connection", count, pair.said, pair.answers)


def big_list(size: int) -> Workload:
    pair = Http2Pair()
    pair.get("/api/v1/pods", pod_list(size), {})
    return Workload(f"{size // MIB} MiB list", 1, pair.said, pair.answers)


def gzip_list(size: int) -> Workload:
    pair = Http2Pair()
    pair.get("/api/v1/pods", gzip.compress(pod_list(size), compresslevel=1), {"content-encoding": "gzip"})
    return Workload(f"gzip list ({size // MIB} MiB inflated)", 1, pair.said, pair.answers)


def delimited(number: int, data: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def watch_event(number: int) -> bytes:
    meta = (
        delimited(1, b"web-%d" % number)
        + delimited(3, b"default")
        + delimited(5, b"7d1f7b0e-0000-4000-8000-000000000000")
        + delimited(6, b"%d" % number)
    )
    raw = delimited(1, meta) + delimited(
        2, delimited(2, delimited(1, b"web") + delimited(2, b"registry.example/web:1.29")) + delimited(10, b"node-1")
    )
    envelope = (
        b"k8s\0" + delimited(1, delimited(1, b"v1") + delimited(2, b"Pod")) + delimited(2, raw) + delimited(3, b"") + delimited(4, b"")
    )
    event = delimited(1, b"MODIFIED") + delimited(2, delimited(1, envelope))
    return len(event).to_bytes(4, "big") + event


def protobuf_watch(count: int) -> Workload:
    pair = Http2Pair()
    body = b"".join(watch_event(number) for number in range(count))
    pair.get("/api/v1/pods?watch=true", body, {"content-type": "application/vnd.kubernetes.protobuf;stream=watch"})
    return Workload(f"protobuf watch, {count} events", 1, pair.said, pair.answers)


def exec_output(size: int) -> Workload:
    """A WebSocket exec (v5) that prints `size` bytes in messages of 32 KiB."""
    key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    ask = f"GET /api/v1/namespaces/default/pods/web-0/exec?command=cat&stdout=true HTTP/1.1\r\nHost: {HOST}\r\n{key}"
    ask += "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
    answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    answer += "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
    server = wsproto.Connection(wsproto.ConnectionType.SERVER)
    line = b"2026-01-01T00:00:00Z INFO request served in 3 ms by web-0, nothing to see here\n"
    block = (line * (32768 // len(line) + 1))[:32767]
    said = [(0, ask.encode()), (1, answer.encode())]
    for _ in range(size // 32768):
        said.extend(pieces(1, server.send(wsproto.events.BytesMessage(data=b"\x01" + block))))
    done = b'\x03{"metadata":{},"status":"Success"}'
    said.append((1, server.send(wsproto.events.BytesMessage(data=done)) + server.send(wsproto.events.CloseConnection(code=1000))))
    return Workload(f"exec output, {size // MIB} MiB", 1, said)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "gets": lambda: small_gets(1000),
    "list": lambda: big_list(64 * MIB),
    "gzip": lambda: gzip_list(64 * MIB),
    "watch": lambda: protobuf_watch(20000),
    "exec": lambda: exec_output(64 * MIB),
}
