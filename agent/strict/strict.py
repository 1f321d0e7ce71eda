"""Sessions that are recorded strictly: held while there is no room for what they would say, ended when a byte of it is lost.

Held is the whole workload (freezer.py), early enough that what is under way finds room: what the kernel's ring has, and what a
stopped thread's memory has. Held for too long, or where holding can't prevent a loss, it is ended. All of it is noted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaperone.agent.deliver.outbox import Outbox
from chaperone.agent.strict.freezer import Freezer, end, thaw
from chaperone.proto.ids import SessionId

SUBJECT = "record: strict"


@dataclass(slots=True)
class Strict:
    """`groups`: the cgroup of each such session. `note`: says a sentence in a session; False makes its recording incomplete."""

    groups: dict[SessionId, Path]
    outbox: Outbox
    limit_s: float
    note: Callable[[SessionId, str, bool], None]
    freezer: Freezer = field(default_factory=Freezer)
    _since: dict[SessionId, float] = field(default_factory=dict)
    _over: set[SessionId] = field(default_factory=set)
    _forgiven: dict[SessionId, int] = field(default_factory=dict)  # records that found no room while nobody was held for that
    _is_suspended: bool = False

    def __post_init__(self) -> None:
        given, self.groups = self.groups, {}
        for session, cgroup in given.items():
            self.add(session, cgroup)

    def add(self, session: SessionId, cgroup: Path) -> None:
        """One more; nothing where it is known already."""
        if session not in self.groups:
            self.groups[session] = cgroup
            if not self._is_suspended:
                self.outbox.strict.add(session)
            thaw(cgroup)  # an agent and its warden that were killed at once

    def forget(self, session: SessionId) -> None:
        """It is over, or not recorded any more."""
        if session in self.groups:
            if self._since.pop(session, None) is not None:
                self.freezer.thaw(self.groups[session])
            del self.groups[session]
            self._over.discard(session)
            self._forgiven.pop(session, None)
            self.outbox.strict.discard(session)
            self.outbox.losses.pop(session, None)

    def suspend(self, is_suspended: bool) -> None:
        """Hold and end nobody; or do so again, but not for what could not be recorded meanwhile."""
        self._is_suspended = is_suspended
        if is_suspended:
            for session in list(self._since):
                self._let_go(session, time.monotonic() - self._since[session])
            self.outbox.strict -= self.groups.keys()
            return
        self._forgiven.update((session, self.outbox.missed[session]) for session in self.groups)
        for session in self.groups:
            self.outbox.losses.pop(session, None)
        self.outbox.strict |= self.groups.keys()

    def look(self) -> None:
        """Hold, let go or end, as things are now."""
        if self._is_suspended:
            return
        for session in self.groups.keys() - self._over:
            if why := self._unrecorded(session):
                self._end(session, why)
            elif session in self._since:
                self._look_at_held(session)
            elif not self.outbox.has_room(session, self._margin):
                self._hold(session)

    def must_wait(self, session: SessionId) -> bool:
        """Whether more of it would find no room now. Looks first."""
        self.look()
        return session in self._since

    def end_all(self, why: str) -> None:
        """Nobody will record them any more."""
        for session in self.groups.keys() - self._over:
            self._end(session, why)

    def close(self) -> None:
        """Everybody goes on; nobody is ended any more."""
        self._over.update(self.groups)
        self._since.clear()
        self.freezer.close()

    @property
    def _margin(self) -> int:
        """Bytes that may come although all stand still: the ring of 32 MiB where memory is as by default."""
        return self.outbox.limits.memory // 2

    def _unrecorded(self, session: SessionId) -> str:
        """What of it can't be recorded; "" for nothing."""
        if loss := self.outbox.losses.get(session):
            return f"{loss.size} bytes could not be recorded ({loss.cause})"
        missed = self.outbox.missed[session] - self._forgiven.get(session, 0)
        return f"{missed} records of it found no room" if missed else ""

    def _look_at_held(self, session: SessionId) -> None:
        held_s = time.monotonic() - self._since[session]
        if self.outbox.has_room(session, self._margin + self._margin // 4):
            self._let_go(session, held_s)
        elif held_s > self.limit_s:
            self._end(session, f"they were held for {held_s:.0f} s, and there is still no room")

    def _hold(self, session: SessionId) -> None:
        try:
            self.freezer.freeze(self.groups[session])
        except OSError as error:
            self._end(session, f"they can't be held ({error.strerror or type(error).__name__})")
            return
        self._since[session] = time.monotonic()
        self.note(session, f"its processes are held: {self.outbox.shortage()}", True)

    def _let_go(self, session: SessionId, held_s: float) -> None:
        del self._since[session]
        self.freezer.thaw(self.groups[session])
        self.note(session, f"its processes go on after {held_s:.1f} s", True)

    def _end(self, session: SessionId, why: str) -> None:
        self._over.add(session)
        self._since.pop(session, None)
        try:
            end(self.groups[session])
            said = f"its processes were ended: {why}"
        except OSError as error:
            said = f"its processes should end and did not ({error.strerror}): {why}"
        self.freezer.thaw(self.groups[session])
        self.note(session, said, False)
