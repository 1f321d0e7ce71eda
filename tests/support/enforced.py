"""One enforced workload on the real kernel, with the test as its collector: `decide` gets a hold's question and gives its order."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.kernel import cgroup
from support.tls_server import TlsServer

from chaperone.agent.deliver.place import Streams
from chaperone.agent.hold.allowance import SHARE
from chaperone.agent.hold.holds import Holds
from chaperone.agent.hold.lock import Lock
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.hold.terms import Terms
from chaperone.agent.hold.waiting import World
from chaperone.agent.sockets.values import SocketClosing, SocketDenied, SocketHello, SocketOpened, SocketTied
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import ProcessExec, TlsBytes, TlsHeld, Value
from chaperone.agent.workload.lineage import Lineage
from chaperone.agent.workload.processes import now_ns
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Direction, Hold, Outcome, Record
from chaperone.proto.refusals import Refusal

CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
"""
NONE = Refusal("x")
ALLOWING, DENYING = Terms(), Terms(denies=True)
Decide = Callable[[Hold], Order | None]


def passed(hold: Hold) -> Order:
    """Let it go."""
    return Order(hold.hold, Name.PASS)


@dataclass
class Enforced:
    """`asked`: the questions; `said`: outcomes; `values`: all that the tracer told; `regrets`: what could not be done."""

    tracer: Tracer
    path: Path
    workload: int
    terms: Terms
    share: float = SHARE
    said: list[Record] = field(default_factory=list)
    asked: list[Hold] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    regrets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = World(self.tracer.kernel, self.said.append, self.tracer.files.exit_of, self.path, self.regrets.append)
        self.holds = Holds(world, self.terms, self.share)
        self.lineage = Lineage("boot", {self.workload: SessionId("s")})
        self.streams = Streams(self.lineage)
        self.tracer.enforce(self.workload, self.terms.denies, self.terms.covers)
        self.lock = Lock(self.tracer.kernel, now_ns())
        self.lock.put_on(self.path, self.terms.denies, self.terms.covers)

    def run(self, argv: list[str], decide: Decide = passed, seized: bool = True) -> tuple[int, str]:
        """Run a program in the workload; its status and what it printed."""
        with begun(argv, self.path) as (child, pid, go):
            if seized:
                self.holds.seize(pid)
            go()
            deadline = time.monotonic() + 60
            while child.poll() is None:
                assert time.monotonic() < deadline, self.outcomes()
                self.step(decide)
            while self.step(decide):
                continue
            return child.returncode, child.communicate()[0]

    def step(self, decide: Decide) -> int:
        """Serve what came; how much that was."""
        values = self.tracer.poll(5)
        self.take(values, decide)
        return len(values)

    def take(self, values: Iterable[Value], decide: Decide) -> None:
        """Serve what was told; another workload's calls are not held here."""
        self.lock.beat(now_ns())
        for value in values:
            self.values.append(value)
            if isinstance(value, ProcessExec):
                self.lineage.executed(value)
            elif isinstance(value, TlsHeld):
                if value.tls.workload == self.workload:
                    self._held(value, decide)
            elif isinstance(value, SocketOpened | SocketHello | SocketTied | SocketClosing | SocketDenied):
                self.holds.saw(value)
        self.holds.look()

    def outcomes(self) -> list[str]:
        """What was done, in order."""
        return [record.order for record in self.said if isinstance(record, Outcome)]

    def recorded(self, direction: Direction) -> bytes:
        """What the probes saw of one direction of all streams."""
        return b"".join(value.data for value in self.values if isinstance(value, TlsBytes) and value.direction is direction)

    def _held(self, value: TlsHeld, decide: Decide) -> None:
        list(self.streams.held(value))
        place = self.streams.place_of(value.tls)
        assert place is not None
        question = self.holds.told(value, *place)
        if question is not None:
            self.asked.append(question)
            if order := decide(question):
                self.holds.order(order)


@contextmanager
def begun(argv: list[str], path: Path) -> Iterator[tuple["subprocess.Popen[str]", int, Callable[[], int]]]:
    """A program that waits to be let into the cgroup, its pid, and what lets it. It is its parent's child, not ours: we trace it."""
    (go, went), (pid_out, pid_in) = os.pipe(), os.pipe()
    inner = f'read go <&{go}; echo 0 > {path / "cgroup.procs"} && exec "$@"'
    outer = f"bash -c '{inner}' sh \"$@\" & echo $! >&{pid_in}; wait $!"
    child = subprocess.Popen(["bash", "-c", outer, "sh", *argv], stdout=-1, stderr=-2, text=True, pass_fds=(go, pid_in))
    try:
        os.close(pid_in)
        yield child, int(os.read(pid_out, 100)), lambda: os.write(went, b"go\n")
    finally:
        child.kill()
        for descriptor in (go, went, pid_out):
            os.close(descriptor)


@contextmanager
def enforced(tracer: Tracer, terms: Terms = ALLOWING, share: float = SHARE) -> Iterator[Enforced]:
    """A workload for one test. `share`: of a processor, what tracing it may take."""
    with cgroup() as path:
        number = tracer.govern(path)
        made = Enforced(tracer, path, number, terms, share)
        try:
            yield made
        finally:
            made.holds.close()
            tracer.release(number)


def client(server: TlsServer, program: str) -> list[str]:
    """A Python client with `tls`, its connection to the server."""
    return [sys.executable, "-c", CLIENT + program, str(server.port), str(server.certificate)]


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, on a machine that is busy with other things."""
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
