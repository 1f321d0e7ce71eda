"""What a broken glass does to a recording: nothing is held, denied, masked or ended for policies' sake. What is recorded goes on being
recorded. It is said to the collector as soon as nobody is held any more, and at the end.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from chaperone.agent.glass.watch import GlassWatch
from chaperone.agent.workload.processes import now_ns
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.glass import LONGEST_S, SECOND, TEXT, Glass
from chaperone.proto.records import BreakGlass, Record

SUBJECT = "break-glass"


class Enforcing(Protocol):
    """Holds: agent/hold/enforcement.py."""

    def suspend(self, until: int) -> None:
        """Hold nothing; locks are open until then."""
        ...

    def step(self) -> bool:
        """Whether nothing is held any more."""
        ...

    def resume(self) -> None:
        """As before."""
        ...


class Strict(Protocol):
    """agent/strict/strict.py."""

    def suspend(self, is_suspended: bool) -> None:
        """Hold and end nobody for want of room; or as before."""
        ...


class Governing(Protocol):
    """The recording."""

    @property
    def enforcement(self) -> Enforcing:
        """What holds."""
        ...

    @property
    def strict(self) -> Strict:
        """What holds for want of room."""
        ...

    def put(self, records: Iterable[Record]) -> None:
        """These are said."""
        ...

    def note(self, subject: str, text: str) -> None:
        """In every session."""
        ...


class Suspension:
    """`told`: what a collector says, put there by another thread."""

    def __init__(self, watch: GlassWatch, node: str, recording: Governing) -> None:
        self.watch, self.node, self.recording = watch, node, recording
        self.told = deque[wire.Glass]()
        self._in_force: Glass | None = None
        self._is_said = True

    @property
    def is_broken(self) -> bool:
        """Whether policies are without effect here now."""
        return self._in_force is not None

    def step(self) -> None:
        """Look, and do what is to be done about it. In the main thread."""
        while self.told:
            self._take(self.told.popleft())
        if self.watch.look(now_ns()):
            self._change(self.watch.broken)
        if not self._is_said and self.recording.enforcement.step():
            self._is_said = True
            self._say(0)

    def _take(self, said: wire.Glass) -> None:
        """A collector's word, for all agents of this node and those that come. It may come twice."""
        broken = self.watch.broken
        if not said.end and broken and broken.id == said.id:
            self._is_said = False
            return
        try:
            self.watch.put(None if said.end else self._glass(said))
        except OSError as error:
            self.recording.note(SUBJECT, f"a collector's word could not be written to {self.watch.file}: {error.strerror}")

    def _glass(self, said: wire.Glass) -> Glass:
        now = now_ns()
        until = now + min(max(int(said.for_ns), 1), LONGEST_S * SECOND)
        return Glass(said.id[:TEXT], self.watch.boot, now, until, said.who[:TEXT], said.why[:TEXT])

    def _change(self, broken: Glass | None) -> None:
        if self._in_force:
            self._end()
        if broken:
            self._begin(broken)

    def _begin(self, broken: Glass) -> None:
        self._in_force, self._is_said = broken, False
        self.recording.enforcement.suspend(broken.until)
        self.recording.strict.suspend(True)
        left_s = round((broken.until - now_ns()) / SECOND)
        text = f"nothing is held, denied or masked for {left_s} s: {broken.who}: {broken.why}"
        self.recording.note(SUBJECT, text)

    def _end(self) -> None:
        self.recording.enforcement.resume()
        self.recording.strict.suspend(False)
        self.recording.note(SUBJECT, "policies have their effect again")
        self._say(now_ns())
        self._in_force, self._is_said = None, True

    def _say(self, ended: int) -> None:
        if broken := self._in_force:
            who = broken.who, broken.why
            self.recording.put([BreakGlass(broken.id, self.node, broken.begun, broken.until, *who, ended)])
