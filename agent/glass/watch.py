"""Whether the glass is broken on this node, looked at several times a second. One that counts for nothing is said once, and is none."""

import logging
from collections.abc import Callable
from pathlib import Path

from chaperone.proto import glass
from chaperone.proto.glass import Glass, GlassError

LOG = logging.getLogger("chaperone.agent.glass")
EVERY_NS = 200_000_000


class GlassWatch:
    """`broken`: what is in force. `boot`: whose clock counts; `now`: of it, in ns."""

    def __init__(self, file: Path, boot: str, say: Callable[[str], None] = LOG.error) -> None:
        self.file, self.boot, self.say = file, boot, say
        self.broken: Glass | None = None
        self._next = 0
        self._trouble = ""

    def look(self, now: int) -> bool:
        """Whether anything has changed."""
        if now < self._next:
            return False
        self._next = now + EVERY_NS
        before, self.broken = self.broken, self._valid(now)
        return before != self.broken

    def put(self, broken: Glass | None) -> None:
        """Break it, or make it whole again, for all agents of this node. OSError."""
        glass.write(self.file, broken) if broken else glass.remove(self.file)
        self._next = 0

    def _valid(self, now: int) -> Glass | None:
        try:
            found, trouble = glass.read(self.file), ""
        except GlassError as error:
            found, trouble = None, str(error)
        if trouble and trouble != self._trouble:
            self.say(trouble)
        self._trouble = trouble
        return found if found and found.boot == self.boot and found.begun <= now < found.until else None
