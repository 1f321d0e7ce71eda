"""A recording of nobody but its own self-probes, on the real kernel."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.kernel import unified_hierarchy
from support.outboxes import waiting

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.health.probing import SelfProbe
from chaperone.agent.recording import Recording
from chaperone.agent.settings import SessionOptions, Settings
from chaperone.agent.trace.tracer import Tracer
from chaperone.proto.records import Record


class WatchedNode:
    """`probe`: steps with the recording."""

    def __init__(self, tracer: Tracer, place: Path, patience_s: float) -> None:
        self.tracer, self.outbox = tracer, Outbox(Limits(memory=64 << 20))
        self.recording = Recording(tracer, self.outbox, Settings((), (), "", SessionOptions()))
        self.probe = SelfProbe(self.recording, place, 0.0, patience_s)
        self.recording.watch = self.probe

    def until(self, is_so: Callable[[], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, self.probe.health
            self.recording.step()

    def records(self) -> list[Record]:
        """All that left the agent."""
        self.outbox.flush()
        return waiting(self.outbox)


@contextmanager
def watched_node(tracer: Tracer, patience_s: float = 60.0, place: Path | None = None) -> Iterator[WatchedNode]:
    """At its end nothing of it is in the tracer."""
    made = WatchedNode(tracer, place or unified_hierarchy(), patience_s)
    try:
        yield made
    finally:
        made.probe.close()
        made.recording.gate.close()
