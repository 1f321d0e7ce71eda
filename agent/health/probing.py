"""The self-probe: now and then a process says something known over TLS, and the recording must have it, whole.

It is a workload like any other, in a cgroup of its own: governed, held at its connect, looked into, its library probed, its bytes through
the ring into records. Only that nobody ever decides whether it is governed: its records wait in the agent (agent/deliver/undecided.py),
are looked at here, and are dropped there.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from chaperone.agent.health.certificate import throwaway
from chaperone.agent.health.state import Health, Outcome
from chaperone.agent.recording import Recording
from chaperone.agent.workload.processes import cgroup_of, hierarchy, now_ns
from chaperone.agent.workload.sessions import Session
from chaperone.proto.ids import StreamId, session_id
from chaperone.proto.records import Chunk, Record, SessionStarted

PATIENCE_S = 30.0
NAME = "chaperone-self-probe-"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that is under way. `undo`: what makes as if it had never been."""

    session: Session
    child: subprocess.Popen[bytes]
    question: bytes
    begun: float
    undo: ExitStack


class SelfProbe:
    """`step` it with the recording. `place`: in which cgroup its own are made; `every_s`: from one that was seen to the next."""

    def __init__(self, recording: Recording, place: Path, every_s: float, patience_s: float = PATIENCE_S) -> None:
        self.recording, self.place = recording, place
        self.every_s, self.patience_s = every_s, patience_s
        self.health = Health()
        self._certificate = throwaway()
        self._attempt: Attempt | None = None
        self._due = 0.0
        remove_stale(place)

    def step(self) -> None:
        """Begin one, or look what became of it. Never waits."""
        now = time.monotonic()
        if self._attempt is not None:
            self._look(self._attempt, now)
        elif now >= self._due:
            self._begin(now)

    def close(self) -> None:
        """No more of them."""
        self._undo()
        self._due = float("inf")
        if self._certificate >= 0:
            os.close(self._certificate)
            self._certificate = -1

    def _begin(self, now: float) -> None:
        with ExitStack() as undo:
            try:
                session = self._governed(undo)
                child, question = self._started(session.cgroup, undo), secrets.token_hex(32).encode() + b"\n"
                _write(child, question)
                self._attempt = Attempt(session, child, question, now, undo.pop_all())
            except OSError as error:
                self._conclude(Outcome.UNDONE, now, f"a self-probe could not begin: {error.strerror or type(error).__name__}")

    def _governed(self, undo: ExitStack) -> Session:
        """A cgroup, as the workload that it is."""
        recording, time_ns = self.recording, now_ns()
        cgroup = self.place / f"{NAME}{os.getpid()}"
        cgroup.mkdir()
        undo.callback(_remove, cgroup)
        id_ = session_id(cgroup.name, time_ns)
        session = Session(id_, cgroup, SessionStarted(id_, cgroup.name, time_ns))
        number = recording.tracer.govern(cgroup)
        undo.callback(recording.tracer.release, number)
        recording.undecided.keep(session.started)
        recording.sessions[number], recording.ids[number], recording.apiservers[id_] = session, id_, frozenset()
        undo.callback(recording.forget, (number,), session, is_dropped=True)
        recording.gate.watch(number, cgroup, is_new=True)
        return session

    def _started(self, cgroup: Path, undo: ExitStack) -> subprocess.Popen[bytes]:
        """The process that is to speak, in its cgroup."""
        command = [sys.executable, "-m", "chaperone.agent.health.speaker", str(self._certificate)]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(self._certificate,), start_new_session=True
        )
        undo.callback(_end, child)
        (cgroup / "cgroup.procs").write_text(str(child.pid))
        return child

    def _look(self, attempt: Attempt, now: float) -> None:
        status, waited_s = attempt.child.poll(), now - attempt.begun
        if is_heard(self.recording.undecided.waiting(attempt.session.id), attempt.question):
            self._conclude(Outcome.SEEN, now)
        elif status:
            self._conclude(Outcome.UNDONE, now, f"the process of a self-probe ended with {status}")
        elif waited_s > self.patience_s and status is None:
            self._conclude(Outcome.UNDONE, now, f"the process of a self-probe did not end in {self.patience_s:.0f} s")
        elif waited_s > self.patience_s:
            self._conclude(Outcome.UNSEEN, now, f"what a self-probe said over TLS was not recorded within {self.patience_s:.0f} s")

    def _conclude(self, outcome: Outcome, now: float, why: str = "") -> None:
        begun = self._attempt.begun if self._attempt else now
        self._undo()
        self.health = self.health.after(outcome, now - begun, why)
        self._due = now + (self.every_s if outcome is Outcome.SEEN else min(1.0, self.every_s))

    def _undo(self) -> None:
        if self._attempt is not None:
            self._attempt.undo.close()
            self._attempt = None


def is_heard(records: Iterable[Record], question: bytes) -> bool:
    """Whether one stream has the question, then its answer, from their first bytes on and nothing else."""
    said: dict[StreamId, tuple[bytearray, bytearray]] = {}
    for record in records:
        if isinstance(record, Chunk):
            side = said.setdefault(record.stream, (bytearray(), bytearray()))[record.direction]
            if record.position == len(side):
                side += record.data
    return any(out == question and into == question[::-1] for out, into in said.values())


def own_place() -> Path:
    """Our own cgroup: beyond their namespace's root processes may be moved nowhere (nsdelegate, cgroups(7)), and our limits hold there."""
    top = hierarchy()
    return cgroup_of(os.getpid(), top) or top


def remove_stale(place: Path) -> None:
    """The cgroups of agents that were killed in the middle of one."""
    for cgroup in place.glob(f"{NAME}*"):
        if not Path("/proc", cgroup.name.removeprefix(NAME)).exists():
            _remove(cgroup)


def _write(child: subprocess.Popen[bytes], question: bytes) -> None:
    """What it is to say."""
    if child.stdin is not None:
        child.stdin.write(question)
        child.stdin.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()


def _remove(cgroup: Path) -> None:
    with suppress(OSError):  # somebody is in there still: the next agent's turn
        cgroup.rmdir()
