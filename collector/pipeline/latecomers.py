"""What was there before its session was held: nobody can decide on it, so it ends, and its client comes back under hold.

Not all at once: each at a time of its own within half a minute, which its name decides. But at once where rules have answers masked, since
what one reads meanwhile is not. What it writes before ends it there and then
(holds.py), so that nothing undecided leaves meanwhile. A session is held once a call of it was: until then nobody says that it is.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from chaperone.collector.pipeline.instructions import ended
from chaperone.proto import capture_pb2 as pb

SPREAD_NS = 30_000_000_000


@dataclass(slots=True)
class _Held:
    agent: str
    due: dict[str, int] = field(default_factory=dict)  # stream or connection → when it ends (monotonic ns)


class Latecomers:
    """By session. `clock`: monotonic ns. `masks`: whether answers are masked in a session."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns, masks: Callable[[str], bool] = lambda _session: False) -> None:
        self._clock, self._masks = clock, masks
        self._held: dict[str, _Held] = {}
        self._early: dict[str, dict[str, None]] = {}  # connections of sessions of which no call was held yet

    def is_held(self, session: str) -> bool:
        """Whether a call of it was."""
        return session in self._held

    def begin(self, session: str, agent: str, subjects: Iterable[str]) -> None:
        """Its first call is held; these streams had begun before."""
        self._held[session] = _Held(agent)
        for subject in [*self._early.pop(session, ()), *subjects]:
            self.found(session, subject)

    def found(self, session: str, subject: str) -> None:
        """A stream or connection that was there before."""
        if (held := self._held.get(session)) is None:
            self._early.setdefault(session, {})[subject] = None
        else:
            held.due.setdefault(subject, self._clock() + (0 if self._masks(session) else share(subject)))

    def gone(self, session: str, subject: str) -> None:
        """It has ended by itself."""
        self._early.get(session, {}).pop(subject, None)
        if session in self._held:
            self._held[session].due.pop(subject, None)

    def over(self, session: str) -> None:
        """The session has ended."""
        self._held.pop(session, None)
        self._early.pop(session, None)

    def suspend(self, agent: str) -> None:
        """This agent holds nothing any more."""
        self._held = {session: held for session, held in self._held.items() if held.agent != agent}

    def told(self) -> list[tuple[str, pb.Downward]]:
        """What ends now, by agent."""
        now, told = self._clock(), list[tuple[str, pb.Downward]]()
        for held in self._held.values():
            for subject in [subject for subject, due in held.due.items() if due <= now]:
                del held.due[subject]
                told.append((held.agent, ended(subject)))
        return told

    @property
    def deadline(self) -> int:
        """When the next one ends (monotonic ns); 0: none does."""
        return min((due for held in self._held.values() for due in held.due.values()), default=0)


def share(subject: str) -> int:
    """Its part of the half minute, in ns: the same whoever asks."""
    return int.from_bytes(blake2b(subject.encode(), digest_size=8).digest(), "big") % SPREAD_NS
