"""An agent without a kernel: a TLS proxy whose every write and read is held and ordered by a real collector, over real gRPC.

A real client talks to it, a real server is behind it. What it does with an order is what capture.proto says; parts are made by
proto/refusals.py from the bytes that it gathered.
"""

import itertools
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
from support.collectors import OPTIONS, batch, hello

from chaperone.collector.ingest.batches import records_in
from chaperone.collector.store.directory import socket_target
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.capture_pb2_grpc import CaptureStub
from chaperone.proto.ids import ProcessId, SessionId, StreamId, process_id, session_id, stream_id
from chaperone.proto.records import (
    Bound,
    Chunk,
    Direction,
    Hold,
    Outcome,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    StreamOpened,
    Unknown,
)
from chaperone.proto.refusals import Refusal, made

OUT, IN = Direction.OUT, Direction.IN
FAR = 2**63 - 1
ORDER_S = 30.0
SIZE = 16_384


class KilledError(Exception):
    """An order ended the connection."""


class ScriptedAgent:
    """One session of one process. `orders`: names of those that came, in order. `pod`: what the API said of it, as in SessionStarted."""

    def __init__(
        self, store: Path, policies: tuple[str, ...] = (), apiservers: tuple[str, ...] = (), name: str = "held", node: str = "", **pod: Any
    ) -> None:
        self.session: SessionId = session_id(f"run {name}", 0)
        self.process: ProcessId = process_id(node or "boot", 100, 5)
        self.node = node
        self.orders: list[str] = []
        self.sent: list[pb.Downward] = []
        self._upward: queue.Queue[pb.Upward | None] = queue.Queue()
        self._numbers, self._holds = itertools.count(1), itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[str, queue.Queue[pb.Order]] = {}
        self.hold_from: dict[tuple[str, int], int] = {}
        self._channel = grpc.insecure_channel(socket_target(store), OPTIONS)
        self._acked, self._hear = 0, threading.Thread(target=self._listen, args=(self._hello(name, node),), daemon=True)
        self._ended = threading.Event()
        self._hear.start()
        begun = SessionStarted(
            self.session, "run", time.monotonic_ns(), "tester", ("kubectl",), apiservers=apiservers, policies=policies, node=node
        )
        self.say(replace(begun, **pod), ProcessSeen(self.process, self.session, time.monotonic_ns(), 100, "/usr/bin/kubectl", ("kubectl",)))

    def say(self, *records: Record) -> None:
        """One batch, in which the collector will refuse nothing."""
        with self._lock:
            message = batch(next(self._numbers), list(records))
            refused = [record for record in records_in(message.batch, FAR) if isinstance(record, Unknown)]
            assert not refused, refused
            self._upward.put(message)

    def ask(self, hold: Hold) -> pb.Order:
        """A held call: its order, once it may go on."""
        line = self._waiting[hold.hold] = queue.Queue()
        self.say(hold)
        while True:
            order = line.get(timeout=ORDER_S)
            self.orders.append(str(order.WhichOneof("action")))
            if order.WhichOneof("action") != "wait":
                del self._waiting[hold.hold]
                return order

    def new_hold(self) -> str:
        return f"hold-{next(self._holds)}"

    def close(self) -> None:
        """Gone, with its session open."""
        self._upward.put(None)
        self._channel.close()

    def finish(self) -> None:
        """All was said; returns when the collector has it."""
        self.say(SessionEnded(self.session, time.monotonic_ns(), 0))
        self._upward.put(None)
        self._hear.join(ORDER_S)
        self._channel.close()

    def _hello(self, name: str, node: str) -> pb.Upward:
        return hello(name, node=node, boot=f"boot of {node}") if node else hello(name)

    def _listen(self, first: pb.Upward) -> None:
        messages = itertools.chain([first], iter(self._upward.get, None))
        with suppress(grpc.RpcError):
            for answer in CaptureStub(self._channel).Stream(messages):
                self.sent.append(answer)
                if answer.WhichOneof("message") == "order":
                    self._ordered(answer.order)
                elif answer.WhichOneof("message") == "hold_from":
                    self.hold_from[answer.hold_from.stream, answer.hold_from.direction] = answer.hold_from.position

    def _ordered(self, order: pb.Order) -> None:
        if line := self._waiting.get(order.hold):
            line.put(order)


class Tap:
    """One connection through the agent: bytes in both directions, as the orders have them."""

    def __init__(self, agent: ScriptedAgent, number: int) -> None:
        self.agent = agent
        self.stream: StreamId = stream_id(agent.process, number, number)
        self._all = bytearray(), bytearray()
        agent.say(StreamOpened(self.stream, agent.process, agent.session, time.monotonic_ns(), "openssl"))

    def write(self, data: bytes) -> bytes:
        """What leaves when the client writes this."""
        begin = self._gather(OUT, data)
        if begin + len(data) <= self.agent.hold_from.get((self.stream, OUT), 0):
            self.agent.say(Chunk(self.stream, OUT, begin, data, time.monotonic_ns()))
            return data
        hold = Hold(self.agent.new_hold(), self.stream, OUT, begin, len(data), time.monotonic_ns(), data)
        left = self._carried_out(OUT, self.agent.ask(hold), data)
        self.agent.say(Outcome(hold.hold, self.agent.orders[-1], time.monotonic_ns()), Chunk(self.stream, OUT, begin, data, hold.time))
        return left

    def read(self, data: bytes) -> bytes:
        """What the client gets when the server sends this."""
        begin = self._gather(IN, data)
        chunk = Chunk(self.stream, IN, begin, data, time.monotonic_ns())
        if begin + len(data) <= self.agent.hold_from.get((self.stream, IN), FAR):
            self.agent.say(chunk)
            return data
        hold = Hold(self.agent.new_hold(), self.stream, IN, begin, len(data), chunk.time, data)
        given = self._carried_out(IN, self.agent.ask(hold), data)
        self.agent.say(Outcome(hold.hold, self.agent.orders[-1], time.monotonic_ns()), chunk)
        return given

    def bind(self, remote: str) -> None:
        self.agent.say(Bound(self.stream, time.monotonic_ns(), 1, "127.0.0.1:1", remote, self.agent.session))

    def close(self) -> None:
        self.agent.say(StreamClosed(self.stream, time.monotonic_ns(), len(self._all[OUT]), len(self._all[IN])))

    def _gather(self, direction: Direction, data: bytes) -> int:
        begin = len(self._all[direction])
        self._all[direction].extend(data)
        return begin

    def _carried_out(self, direction: Direction, order: pb.Order, data: bytes) -> bytes:
        action = order.WhichOneof("action")
        if action == "pass":
            return data
        if action == "kill":
            raise KilledError
        parts = order.write.parts if action == "write" else order.answer.parts if action == "answer" else ()
        return b"".join(self._made(direction, part) for part in parts)

    def _made(self, direction: Direction, part: pb.Part) -> bytes:
        kept = bytes(self._all[direction][part.begin : part.end])
        assert len(kept) == part.end - part.begin, "a part of bytes that are not here"
        told = part.refusal
        refusal = Refusal(told.id, told.message, told.h2_stream, told.credit, told.bodiless)
        return made(part.template, kept, refusal)


class Proxy:
    """Takes TLS connections as the server would, each through a Tap of `agent`."""

    def __init__(self, agent: ScriptedAgent, connect: Callable[[list[str]], ssl.SSLSocket], context: ssl.SSLContext) -> None:
        self._agent, self._connect, self._context = agent, connect, context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.taps: list[Tap] = []
        self._numbers = itertools.count(1)  # connections come at once, from several threads
        self.faults: list[Exception] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # closing wakes nobody who waits for a connection
        self._accepting.join()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError):
            client = self._context.wrap_socket(plain, server_side=True)
            server = self._connect([client.selected_alpn_protocol() or "http/1.1"])
            tap = Tap(self._agent, next(self._numbers))
            tap.bind(f"127.0.0.1:{server.getpeername()[1]}")
            self.taps.append(tap)
            back = threading.Thread(target=self._pump, args=(server, client, tap.read), daemon=True)
            back.start()
            self._pump(client, server, tap.write)
            back.join()
            tap.close()

    def _pump(self, source: ssl.SSLSocket, target: ssl.SSLSocket, through: Callable[[bytes], bytes]) -> None:
        try:
            while data := source.recv(SIZE):
                target.sendall(through(data))
        except (OSError, KilledError):
            pass  # either side left
        except Exception as error:  # noqa: BLE001 - for the test to see
            self.faults.append(error)
        for each in (source, target):
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)


@contextmanager
def proxied(agent: ScriptedAgent, directory: Path, port: int) -> Iterator[Proxy]:
    """A proxy before the demo API server of a directory; no fault may come up in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    context.set_alpn_protocols(["h2", "http/1.1"])

    def connect(protocols: list[str]) -> ssl.SSLSocket:
        trusting = ssl.create_default_context(cafile=str(directory / "ca.crt"))
        trusting.set_alpn_protocols(protocols)
        return trusting.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")

    proxy = Proxy(agent, connect, context)
    try:
        yield proxy
    finally:
        proxy.close()
    assert not proxy.faults, proxy.faults
