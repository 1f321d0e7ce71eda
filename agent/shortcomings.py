"""What of a recording could not be done, each time said once: in the session of the workload that it happened to.

Of some it is not known whose it was: it is said, as such, in each session that there was meanwhile. What is only known after a session's
end comes too late for it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from chaperone.agent.deliver.outbox import Outbox
from chaperone.agent.gate.gate import Gate
from chaperone.agent.trace.tracer import Tracer
from chaperone.proto.ids import SessionId
from chaperone.proto.records import NO_SESSION

Counted = Iterator[tuple[str, int]]
NOBODYS = 0  # instead of a workload
LEFT_OUT = "records of processes and streams did not fit into the agent's memory"
UNHELD = "TLS calls that had to wait for their verdict could not be held"
BROKEN = "connect gate failed: whoever connected afterwards went unlooked"
OF_KERNEL = {
    "events": "events of processes and connections did not fit into the kernel's ring",
    "streams": "TLS calls belong to streams beyond the kernel's table",
    "calls": "TLS calls had begun before the probes were in place",
    "packets": "packets belong to connections beyond the kernel's table",
    "connects": "connects were told to nobody, too many at once",
}


class Shortcomings:
    """`begin` with each session, `news` when another takes a workload over, `last` before its end, `forget` behind it."""

    def __init__(self, tracer: Tracer, gate: Gate, outbox: Outbox) -> None:
        self.tracer, self.gate, self.outbox = tracer, gate, outbox
        self._said: dict[int, Counter[str]] = {}
        self._since: dict[SessionId, dict[str, int]] = {}

    def begin(self, session: SessionId) -> None:
        """What is counted from now on, of nobody knows whom, may be its."""
        self._since[session] = dict(self._counts(NOBODYS))

    def news(self, workload: int) -> Iterator[str]:
        """What was counted since the last time."""
        said = self._said.setdefault(workload, Counter())
        for what, count in self._counts(workload):
            news, said[what] = count - said[what], count
            if news:
                yield f"{news} {what}"

    def last(self, workloads: Iterable[int], session: SessionId) -> Iterator[str]:
        """What there is to say of a session and its workloads, and what may be its."""
        for workload in workloads:
            yield from self.news(workload)
        if count := self.outbox.missed.pop(session, 0):
            yield f"{count} {LEFT_OUT}"
        since = self._since.get(session, {})
        for what, count in self._counts(NOBODYS):
            if news := count - since.get(what, 0):
                yield f"{news} {what}; whose is not known"
        if self.gate.broken:
            yield f"1 {BROKEN}"

    def forget(self, workload: int) -> None:
        """Its number will be another's."""
        self._said.pop(workload, None)

    def forget_session(self, session: SessionId) -> None:
        """It is over."""
        self._since.pop(session, None)

    def _counts(self, workload: int) -> Counted:
        lost = asdict(self.tracer.lost_of(workload))
        yield from ((sentence, lost[name]) for name, sentence in OF_KERNEL.items())
        yield from self.gate.shortcomings(workload)
        if workload:
            yield UNHELD, self.tracer.unheld(workload)
        else:
            yield LEFT_OUT, self.outbox.missed[NO_SESSION]
