"""A program recorded by the agent's parts on the real kernel: all but the process and the uplink."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from support.kernel import Workload, cgroup
from support.outboxes import waiting

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.recording import Ended, Recording
from chaperone.agent.settings import Settings, parse
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import Value
from chaperone.proto.records import Record

Kind = TypeVar("Kind")


class Altered(Tracer):
    """A loaded tracer whose values pass through a function."""

    def __init__(self, tracer: Tracer, change: Callable[[list[Value]], list[Value]]) -> None:
        self.__dict__.update(tracer.__dict__)
        self.change = change

    def poll(self, timeout_ms: int) -> list[Value]:
        return self.change(super().poll(timeout_ms))


def recorded(
    tracer: Tracer, argv: Sequence[str | Path], *options: str, linger_s: float = 0.0, statuses: Sequence[int] = ()
) -> list[Record]:
    """Run a program in a cgroup of its own; everything that was recorded. `linger_s`: go on as long behind its end.

    `statuses`: those with which it may end; none: any.
    """
    with cgroup() as path:
        settings = parse(["--cgroup", str(path), *options])
        assert isinstance(settings, Settings)
        outbox = Outbox(Limits(memory=256 << 20))
        recording = Recording(tracer, outbox, settings)
        process, deadline = Workload(tracer, path).start(argv), time.monotonic() + 60
        while process.poll() is None:
            recording.step()
            assert time.monotonic() < deadline, f"{argv} does not end"
        assert not statuses or process.returncode in statuses, f"{argv} ended with {process.returncode}"
        quiet = time.monotonic() + linger_s
        while time.monotonic() < quiet:
            recording.step()
        recording.end(Ended(process.returncode))
        for workload in recording.sessions:
            tracer.release(workload)
    return waiting(outbox)


def of(records: list[Record], kind: type[Kind]) -> list[Kind]:
    """The records of one kind."""
    return [record for record in records if isinstance(record, kind)]
