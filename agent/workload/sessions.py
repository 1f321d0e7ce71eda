"""Which session a governed cgroup's records belong to, and what is said at its begin and end."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaperone.agent.settings import Settings
from chaperone.agent.workload.processes import now_ns
from chaperone.proto.ids import SessionId, session_id
from chaperone.proto.records import Note, Record, SessionEnded, SessionStarted


@dataclass(frozen=True, slots=True)
class Session:
    """One workload's recording. `mode`: of a container, "record" or "enforce"."""

    id: SessionId
    cgroup: Path
    started: SessionStarted
    notes: tuple[str, ...] = ()
    mode: str = ""

    def begin(self) -> Iterator[Record]:
        """What comes before anything its processes do."""
        yield self.started
        for text in self.notes:
            yield Note(self.id, self.started.time, "launcher", text)

    def end(self, status: int, left: int) -> Iterator[Record]:
        """What comes last. `left`: processes that outlive the recording."""
        now = now_ns()
        if left:
            yield Note(self.id, now, "workload", f"{left} of its processes were still running when the recording ended")
        yield SessionEnded(self.id, now, status)


def sessions_of(settings: Settings) -> tuple[Session, ...]:
    """One session per cgroup, beginning now."""
    return tuple(_session(settings, cgroup) for cgroup in settings.cgroups)


def _session(settings: Settings, cgroup: Path) -> Session:
    told = settings.session
    workload, time = told.workload or str(cgroup), now_ns()
    id_ = session_id(workload, time)
    about = (told.user, told.argv, told.cwd, settings.node, told.apiservers)
    started = SessionStarted(id_, workload, time, *about, policies=told.policies)
    return Session(id_, cgroup, started, told.notes)
