"""Which process did it: fork, exec and exit from the kernel, the rest from /proc while the process is still there.

What /proc no longer tells of a process that lived a millisecond comes from its parent: a fork changes nothing, and an
exec's file, arguments and folder come from the kernel. Bounded: the longest known are forgotten first, and met again if they speak.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from chaperone.agent.trace.values import ProcessExec, ProcessExit, ProcessFork
from chaperone.agent.workload.processes import TICK_NS, Described, argv, describe, started_ns
from chaperone.proto.ids import ProcessId, SessionId, process_id
from chaperone.proto.records import ProcessEnded, ProcessSeen

Key = tuple[int, int]  # pid, start
LIMIT = 65536  # living processes that are remembered; an end that the kernel could not tell would leave one for ever


class Lineage:
    """The living processes of governed workloads. `sessions`: by the tracer's workload number."""

    def __init__(self, boot_id: str, sessions: Mapping[int, SessionId]) -> None:
        self.boot_id, self.sessions = boot_id, sessions
        self.living: dict[Key, ProcessSeen] = {}
        self._first: dict[SessionId, Key] = {}  # the first that executed anything: a container's own process
        self._status: dict[SessionId, int] = {}  # with which it ended
        self._before: set[Key] = set()  # of these, the ones whose program ran before the recording began

    def id_of(self, key: Key) -> ProcessId:
        """The id of a process, known or not."""
        return process_id(self.boot_id, *key)

    def executed(self, value: ProcessExec) -> ProcessSeen:
        """A process became another program."""
        parent = (value.parent_pid, value.parent_started)
        self._first.setdefault(self.sessions[value.workload], (value.pid, value.started))
        now = describe(value.pid)
        self._before.discard((value.pid, value.started))
        arguments, is_cut = _arguments(value)
        cwd = value.cwd or now.cwd
        exe = now.exe or str(Path(cwd) / value.exe)
        return self._seen(value, ProcessSeen(*self._head(value), exe, arguments, cwd, value.uid, self.id_of(parent), is_cut))

    def forked(self, value: ProcessFork) -> ProcessSeen:
        """A process began as a copy of its parent."""
        parent = self.living.get((value.parent_pid, value.parent_started))
        if parent is None or (value.parent_pid, value.parent_started) in self._before:
            self._before.add((value.pid, value.started))  # it may have objects of its parent
        about = parent or describe(value.pid)
        parent_id = self.id_of((value.parent_pid, value.parent_started))
        return self._seen(value, ProcessSeen(*self._head(value), about.exe, about.argv, about.cwd, value.uid, parent_id, about.argv_cut))

    def exited(self, value: ProcessExit) -> ProcessEnded:
        """The last thread of a process ended."""
        session = self.sessions.get(value.workload)
        if session and self._first.get(session) == (value.pid, value.started):
            self._status[session] = value.status
        self.living.pop((value.pid, value.started), None)
        self._before.discard((value.pid, value.started))
        return ProcessEnded(self.id_of((value.pid, value.started)), value.time, value.status)

    def met(self, key: Key, workload: int, time: int) -> Iterator[ProcessSeen]:
        """A process that speaks: if it began before we did, what /proc says about it."""
        if key in self.living:
            return
        pid, started = key
        now = describe(pid)
        if started_ns(pid) != started // TICK_NS * TICK_NS:  # gone, and its number may be another's
            now = Described()
        head = self.id_of(key), self.sessions[workload], time, pid
        seen = ProcessSeen(*head, now.exe, now.argv, now.cwd, now.uid, argv_cut=now.argv_cut)
        self._remember(key, seen)
        self._before.add(key)
        yield seen

    def forget(self, session: SessionId) -> frozenset[ProcessId]:
        """Its processes are nobody's any more; which they were."""
        self._first.pop(session, None)
        self._status.pop(session, None)
        gone = {key: seen for key, seen in self.living.items() if seen.session == session}
        for key in gone:
            del self.living[key]
            self._before.discard(key)
        return frozenset(seen.process for seen in gone.values())

    def moved(self, before: SessionId, after: SessionId, time: int) -> Iterator[ProcessSeen]:
        """A session was cut: its living processes are the next one's, too."""
        if before in self._first:
            self._first[after] = self._first.pop(before)
        if before in self._status:
            self._status[after] = self._status.pop(before)
        for key, seen in self.living.items():
            if seen.session == before:
                self.living[key] = replace(seen, session=after, time=time)
                yield self.living[key]

    def status_of(self, session: SessionId) -> int:
        """How the first program of a session ended; -1 if it did not, or nobody knows."""
        return self._status.get(session, -1)

    def was_before(self, key: Key) -> bool:
        """Whether a process may have what it had before the recording began."""
        return key in self._before

    def _head(self, value: ProcessExec | ProcessFork) -> tuple[ProcessId, SessionId, int, int]:
        return self.id_of((value.pid, value.started)), self.sessions[value.workload], value.time, value.pid

    def _seen(self, value: ProcessExec | ProcessFork, seen: ProcessSeen) -> ProcessSeen:
        self._remember((value.pid, value.started), seen)
        return seen

    def _remember(self, key: Key, seen: ProcessSeen) -> None:
        if key not in self.living and len(self.living) >= LIMIT:
            self._before.discard(forgotten := next(iter(self.living)))
            del self.living[forgotten]
        self.living[key] = seen


def _arguments(value: ProcessExec) -> tuple[tuple[str, ...], bool]:
    """What a program was executed with: where that was too long for our copy as far as /proc still tells; and whether there was more.
    A process that has become another program since has other arguments."""
    if not value.argv_cut:
        return value.argv, False
    found, is_cut = argv(value.pid)
    whole = value.argv[:-1]
    return (found, is_cut) if found and found[: len(whole)] == whole else (value.argv, True)
