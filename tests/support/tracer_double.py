"""A tracer whose kernel is a list: what each poll returns, what attach answers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaperone.agent.closing import Closer
from chaperone.agent.gate.gate import Gate
from chaperone.agent.gate.held import Held
from chaperone.agent.sockets.values import Flow
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import Attached, Lost, NotCovered, Value
from chaperone.agent.workload.kept import KeptFiles


class GateDouble(Gate):
    """Watches nobody; says what it is told to."""

    def __init__(self) -> None:
        self.unlooked, self.broken = dict[int, int](), False
        self.left: list[int] = []
        self.watched: list[tuple[int, Path]] = []
        self.welcomed: list[Path] = []
        self.tracers: Callable[[], set[int]] = set
        self.is_closed = False

    def shortcomings(self, workload: int) -> Iterator[tuple[str, int]]:
        yield "connects were not met", self.unlooked.get(workload, 0)

    def watch(self, slot: int, cgroup: Path, is_new: bool = False) -> None:
        self.watched.append((slot, cgroup))

    def welcome(self, workload: int, cgroup: Path) -> None:
        self.welcomed.append(cgroup)

    def leave(self, slot: int) -> None:
        self.left.append(slot)

    @contextmanager
    def held(self) -> Iterator[Held | None]:
        yield None

    def close(self) -> None:
        self.is_closed = True


class TracerDouble(Tracer):
    """`polls`: one list of values per poll, then nothing. `uncovered`: names of files that have no TLS."""

    def __init__(self, polls: Sequence[list[Value]] = (), final: Sequence[Value] = (), counts: Lost | None = None) -> None:
        self.polls, self.final, self.counts = list(polls), final, counts or Lost()
        self.uncovered: set[str] = set()
        self.kept: list[int] = []
        self.gate, self.kept_files = GateDouble(), KeptFiles(Closer())
        self.attached: list[str | Path | int] = []
        self.governed: list[str | Path] = []
        self.areas: list[Path] = []
        self.ignored: list[tuple[int, int, Path]] = []
        self.released: list[int] = []

    def govern(self, cgroup: str | Path) -> int:
        self.governed.append(cgroup)
        return len(self.governed)

    def keep_all(self, workload: int) -> None:
        self.kept.append(workload)

    def govern_area(self, cgroup: Path) -> int:
        self.areas.append(cgroup)
        return -len(self.areas)

    def settle(self, cgroup: Path, is_known: bool = False) -> int:
        return 50

    def ignore(self, workload: int, id_: int, cgroup: Path) -> None:
        self.ignored.append((workload, id_, cgroup))

    def release(self, workload: int) -> None:
        self.released.append(workload)

    def attach(self, file: str | Path | int) -> Attached | NotCovered:
        self.attached.append(file)
        return NotCovered("no TLS functions") if Path(str(file)).name in self.uncovered else Attached(1, 1, ("SSL_write",))

    def open_gate(self) -> Gate:
        return self.gate

    def poll(self, timeout_ms: int) -> list[Value]:
        return self.polls.pop(0) if self.polls else []

    def flows(self, cookie: int) -> tuple[Flow, Flow] | None:
        return None

    def forget(self, cookie: int) -> None:
        return None

    def final_positions(self, workload: int = 0) -> Iterator[Value]:
        yield from self.final

    def unheld(self, workload: int) -> int:
        return 0

    def lost_of(self, workload: int) -> Lost:
        return self.counts if workload == 1 else Lost()
