"""What becomes of containers in the recording: their sessions wait, begin, end, or leave nothing behind."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from chaperone.agent.hold.terms import Terms
from chaperone.agent.pods.succession import conclude, cut
from chaperone.agent.pods.workloads import Group
from chaperone.agent.recording import Recording
from chaperone.agent.workload.processes import now_ns
from chaperone.agent.workload.sessions import Session
from chaperone.proto.ids import SessionId


class Governing:
    """Workloads' Recorder (agent/pods/workloads.py) with a recording behind it. `apiservers`: those that are known now."""

    def __init__(self, recording: Recording, apiservers: Callable[[int], tuple[str, ...]]) -> None:
        self.recording, self.apiservers = recording, apiservers
        self._waiting: set[SessionId] = set()

    def meet(self, areas: Iterable[Path]) -> None:
        """The hooks sit on the area itself, so that no packet of a new container comes before them."""
        for area in areas:
            number = self.recording.tracer.govern_area(area)
            self.recording.gate.watch(number, area, is_new=True)

    def settle(self, folder: Path, is_known: bool) -> int:
        """One that ends meanwhile has none."""
        with suppress(FileNotFoundError):
            return self.recording.tracer.settle(folder, is_known)
        return 0

    def owner(self, number: int) -> int:
        """As the kernel has it."""
        return self.recording.tracer.owner(number)

    def admit(self, number: int, session: Session) -> None:
        """What already runs there is looked into: who was moved there executes nothing."""
        recording = self.recording
        if session.id not in recording.apiservers:
            recording.shortcomings.begin(session.id)
            recording.undecided.keep(session.started)
            self._waiting.add(session.id)
        if number not in recording.sessions:
            recording.gate.welcome(number, session.cgroup)
        recording.sessions[number] = session
        if recording.is_strict:
            self.keep([number], session)
        recording.ids[number] = session.id
        recording.apiservers[session.id] = frozenset(self.apiservers(now_ns()))

    def has_spoken(self, session: Session) -> bool:
        """Whether anything but processes waits."""
        return self.recording.undecided.has_spoken(session.id)

    def begin(self, session: Session) -> None:
        """Its beginning, then what waited."""
        self._waiting.discard(session.id)
        self.recording.undecided.begin(session.id, session.begin())

    def enforce(self, cgroups: dict[int, Group], terms: Terms) -> None:
        """Who already runs there is traced; who comes otherwise than by fork is caught at its first held call."""
        enforcement = self.recording.enforcement
        for number, (_, folder) in cgroups.items():
            if not enforcement.enforces(number) and folder.exists():
                enforcement.begin(number, folder, terms)
                enforcement.seize(number, folder)

    def record_all(self, session: Session) -> None:
        """What goes to others than the API server is recorded too."""
        self.recording.whole.add(session.id)

    def keep(self, numbers: Iterable[int], session: Session) -> None:
        """The session's cgroup is held as a whole."""
        for number in numbers:
            self.recording.keep(number, session)

    def ignore(self, cgroups: dict[int, Group], session: Session | None) -> None:
        """The kernel sees no more of it; what it had seen is forgotten."""
        for number, (id_, folder) in cgroups.items():
            self.recording.tracer.ignore(number, id_, folder)
        self.recording.forget(cgroups, session, is_dropped=True)

    def end(self, numbers: Iterable[int], session: Session, has_begun: bool) -> None:
        """The last that is known, then its end."""
        recording, numbers = self.recording, tuple(numbers)
        if has_begun:
            recording.say_last(numbers, session)
            conclude(recording, session.cgroup, now_ns(), is_last=True)
        for number in numbers:
            recording.tracer.release(number)
        recording.forget(numbers, session, is_dropped=not has_begun)
        recording.outbox.flush()

    def cut(self, numbers: Iterable[int], before: Session, after: Session, why: str) -> None:
        """What is open stays where it began."""
        cut(self.recording, numbers, before, after, why)

    def conclude(self, cgroup: Path, last: int) -> None:
        """The container itself goes on."""
        conclude(self.recording, cgroup, last)
