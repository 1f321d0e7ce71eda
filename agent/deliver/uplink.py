"""The one call to the collector: Hello, batches in order, acks. Reconnects for ever and sends what was not confirmed.

What dead agents left goes between the batches, one frame after one batch: neither waits for the end of the other.

Runs in threads of its own, so the kernel's rings are read meanwhile: over gRPC, or to a collector of this machine over a socket that is
nothing else.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from chaperone.agent.deliver.leftovers import Leftovers
from chaperone.agent.deliver.line import line
from chaperone.agent.deliver.local_line import RefusedError, local_socket, talking
from chaperone.agent.deliver.outbox import Outbox
from chaperone.agent.deliver.route import UNIX, Stop, route
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.capture_pb2_grpc import CaptureStub

CONTRACT = 1  # of proto/capture.proto; a collector works with its own and the one before
BACKOFF_S = (0.05, 0.1, 0.25, 0.5, 1.0)
REFUSALS = (
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
)
REFUSED = {status.value[0] for status in REFUSALS}


@dataclass(frozen=True, slots=True)
class Cargo:
    """What there is to deliver. `trusts`: what is on disk is sealed to the key with which a collector welcomes us.

    `on_selection` gets, in the uplink's thread, which pods a collector wants governed.
    """

    outbox: Outbox
    leftovers: Leftovers | None = None
    trusts: bool = True
    on_selection: Callable[[wire.Selection], None] = lambda _selection: None


class Uplink:
    """Empties an outbox, and what earlier agents left, into a collector: of the targets (with commas between) the one that route.py puts
    first, as long as it answers. `trouble` names what is wrong while nothing can be sent."""

    def __init__(self, target: str, hello: wire.Hello, cargo: Cargo, tls: Path | None = None) -> None:
        self.target, self.tls, self.hello, self.cargo, self.outbox = target, tls, hello, cargo, cargo.outbox
        self.trouble = "no collector answered yet"
        self.is_refused = False  # it answered, and will not take what we send
        self.on_order: Callable[[wire.Downward], None] = lambda _message: None  # orders, and from where to hold
        self.on_kill: Callable[[wire.Order], None] = lambda _order: None  # orders that answer no hold
        self.on_glass: Callable[[wire.Glass], None] = lambda _glass: None  # that nothing is enforced for a while
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def finish(self, timeout_s: float) -> bool:
        """Wait for the last ack, then hang up. False if batches are left unconfirmed."""
        empty = self.outbox.wait_empty(timeout_s)
        self._stopping.set()
        self._thread.join(2.0)
        return empty

    def _run(self) -> None:
        failures, ahead = 0, list[Stop]()
        while not self._stopping.is_set():
            ahead = ahead or route(self.target.split(","), self.hello.node or self.hello.boot_id)
            try:
                is_welcome = self._converse(ahead.pop(0))
                failures, ahead = (0, []) if is_welcome else (failures + 1, ahead)
            except grpc.RpcError as error:
                failures += 1
                self.trouble = _sentence(error)
                self.is_refused = isinstance(error, grpc.Call) and error.code() in REFUSALS
            except RefusedError as error:
                failures += 1
                self.trouble, self.is_refused = str(error), error.refusal.status in REFUSED
            except OSError as error:
                failures += 1
                self.trouble = f"the certificate to show to the collector can't be read: {error.filename}: {error.strerror}"
            self._stopping.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])

    def _converse(self, stop: Stop) -> bool:
        """One call until it ends. True if the collector welcomed us."""
        self.hello.call += 1
        conversation = _Conversation(self.hello, self.cargo, self._stopping)
        with self._talking(stop, conversation.messages()) as answers:
            try:
                for answer in answers:
                    conversation.take(answer)
                    self._heard(answer)
            finally:
                conversation.over.set()
        if not self.is_refused:
            self.trouble = "" if self._stopping.is_set() else "the collector hung up"
        return conversation.welcomed.is_set()

    @contextmanager
    def _talking(self, stop: Stop, messages: Iterator[wire.Upward]) -> Iterator[Iterator[wire.Downward]]:
        """Say these; what is answered."""
        local = local_socket(Path(stop.target.removeprefix(UNIX))) if stop.target.startswith(UNIX) else None
        if local is not None:
            with talking(local, messages) as answers:
                yield answers
            return
        with line(stop, self.tls) as channel:
            yield CaptureStub(channel).Stream(messages)

    def _heard(self, answer: wire.Downward) -> None:
        """A collector answers. One that refused a batch welcomes us again before it refuses it again: only an ack undoes that."""
        kind = answer.WhichOneof("message")
        if kind == "order" and not answer.order.hold:
            self.on_kill(answer.order)
        elif kind in ("order", "hold_from"):
            self.on_order(answer)
        elif kind == "glass":
            self.on_glass(answer.glass)
        if kind == "ack":
            self.is_refused = False
        if not self.is_refused:
            self.trouble = ""


class _Conversation:
    """What is said in one call: nothing but Hello before the Welcome, then batches from the first unconfirmed one."""

    def __init__(self, hello: wire.Hello, cargo: Cargo, stopping: threading.Event) -> None:
        self.hello, self.cargo, self.outbox, self.stopping = hello, cargo, cargo.outbox, stopping
        self.welcomed, self.over = threading.Event(), threading.Event()
        self.takes_leftovers = False

    def messages(self) -> Iterator[wire.Upward]:
        yield wire.Upward(hello=self.hello)
        sent, left = 0, self._left()
        while not self._is_over():
            passed_on = next(left, None)
            if passed_on is not None:
                yield passed_on
            batch = self.outbox.after(sent, 0.0 if passed_on else 0.1) if self.welcomed.wait(0.1) else None
            if batch is not None:
                sent = batch.number
                yield wire.Upward(batch=batch)

    def take(self, answer: wire.Downward) -> None:
        """Act on what the collector says about batches. What this version does not know is for a later one."""
        kind = answer.WhichOneof("message")
        if kind == "welcome":
            self._welcome(answer.welcome)
        elif kind == "ack":
            self._acknowledge(answer.ack)
        elif kind == "settings":
            self.outbox.change(answer.settings.batch_bytes, answer.settings.batch_delay_ms * 1_000_000)
            if answer.settings.HasField("selection"):
                self.cargo.on_selection(answer.settings.selection)
        elif kind == "leftover_refused" and self.cargo.leftovers:
            self.cargo.leftovers.refuse(answer.leftover_refused.agent, answer.leftover_refused.reason)

    def _welcome(self, welcome: wire.Welcome) -> None:
        self.outbox.acknowledge(welcome.next_batch - 1)
        if welcome.collector_key and self.cargo.trusts:
            self.outbox.remember(welcome.collector_key)
        self.takes_leftovers = bool(welcome.collector_key)
        self.cargo.on_selection(welcome.selection)
        self.welcomed.set()

    def _acknowledge(self, ack: wire.Ack) -> None:
        if not ack.agent:
            self.outbox.acknowledge(ack.batch)
        elif self.cargo.leftovers:
            self.cargo.leftovers.acknowledge(ack.agent, ack.batch)

    def _left(self) -> Iterator[wire.Upward | None]:
        """What earlier agents left, once a collector that takes such things has welcomed us; None: not yet."""
        while not self.welcomed.is_set():
            yield None
        if self.cargo.leftovers and not self.takes_leftovers:
            self.cargo.leftovers.refuse_all("this collector takes nothing that dead agents left")
        elif self.cargo.leftovers:
            yield from self.cargo.leftovers.messages()

    def _is_over(self) -> bool:
        return self.over.is_set() or self.stopping.is_set()


def _sentence(error: grpc.RpcError) -> str:
    """A refusal in the collector's own words; else that nobody answered."""
    code = error.code() if isinstance(error, grpc.Call) else None
    if isinstance(error, grpc.Call) and code in REFUSALS:
        return str(error.details())
    return f"the collector can't be reached ({code.name if code else type(error).__name__})"
