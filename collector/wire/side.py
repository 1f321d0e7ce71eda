"""One direction of an HTTP reader: its bytes, and the parser that waits for them."""

from collections.abc import Callable, Generator

from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.collector.wire.intake import Intake
from chaperone.collector.wire.resync import Search, advance
from chaperone.proto.records import Direction

Parser = Generator[None, None, None]


class Side:
    """A direction's intake and its running parser; no parser means that nothing more is read of it."""

    def __init__(self, direction: Direction, position: int = 0) -> None:
        self.direction = direction
        self.intake = Intake(position)
        self.parser: Parser | None = None
        self.searching = False  # for a boundary behind a hole
        self.missed = 0  # where the bytes begin that are skipped while searching
        self.border = position  # of the last frame or message part: what is before is in events and in the reader's state

    def run(self) -> Malformed | Hole | None:
        """Let the parser go on until it waits; return what stopped it."""
        if self.parser is None:
            return None
        try:
            next(self.parser)
        except StopIteration:
            self.parser = None
        except (Malformed, Hole) as problem:
            self.parser = None
            return problem
        return None

    def stop(self) -> None:
        """Read nothing more of this direction."""
        self.parser = None
        self.intake.clear()

    @property
    def settled(self) -> int:
        """Where a reader restored from a Mark has to go on."""
        return self.intake.position if self.searching or self.parser is None else self.border

    @property
    def waits(self) -> bool:
        """Is there anything that the parser could go on with?"""
        return self.parser is not None and (self.intake.held > 0 or self.intake.gap() is not None)

    def search(self, boundary: Search, then: Callable[[], Parser]) -> None:
        """Skip to `boundary`, and go on as `then`."""
        if not self.searching:
            self.searching, self.missed = True, self.intake.position
        self.parser = self._skip(boundary, then)

    def _skip(self, boundary: Search, then: Callable[[], Parser]) -> Parser:
        while not advance(self.intake, boundary):
            self.intake.has(self.intake.ready + 1)
            yield
        self.searching, self.border = False, self.intake.position
        yield from then()
