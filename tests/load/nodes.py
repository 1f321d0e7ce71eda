"""Nodes without a kernel: an agent's own outbox and uplink each, filled with replayed recordings."""

import itertools
import time
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from load.replay import Pod, Talk

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.uplink import CONTRACT, Cargo, Uplink
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.records import Record

WINDOW = 64 << 10  # bytes that a node lets wait for acks before it replays more
DONE_S = 600.0


class TimedOutbox(Outbox):
    """Knows how long each batch waited for its ack. `lags`: seconds, in order of the acks."""

    def __init__(self) -> None:
        super().__init__(Limits())
        self.lags: list[float] = []
        self._sent: deque[tuple[int, float]] = deque()

    def sent(self) -> None:
        """The batch that is open is closed now."""
        self.flush()
        self._sent.append((self._number, time.monotonic()))

    def acknowledge(self, number: int) -> None:
        """As the outbox does."""
        now = time.monotonic()
        while self._sent and self._sent[0][0] <= number:
            self.lags.append(now - self._sent.popleft()[1])
        super().acknowledge(number)


@dataclass(frozen=True, slots=True)
class Target:
    """A collector's address, and the directory of the certificate to show."""

    address: str
    tls: Path


class Node:
    """One agent with its pods."""

    def __init__(self, name: str, pods: int, target: Target) -> None:
        boot = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.pods = [Pod(boot, name, number, _now()) for number in range(pods)]
        self.outbox = TimedOutbox()
        hello = wire.Hello(contract=CONTRACT, agent=uuid.uuid4().hex, boot_id=boot, node=name, version="load")
        self.uplink = Uplink(target.address, hello, Cargo(self.outbox), target.tls)
        self._turn = itertools.cycle(self.pods)
        self.put(record for pod in self.pods for record in pod.begin())
        self.uplink.start()

    def is_free(self) -> bool:
        """Whether what waits leaves room for more."""
        return self.outbox.unacknowledged()[1] < WINDOW

    def replay(self, talk: Talk) -> int:
        """In the next pod; calls."""
        self.put(iter(next(self._turn).replay(talk, _now())))
        return talk.calls

    def finish(self) -> bool:
        """End all sessions; whether all of it was acknowledged."""
        self.put(record for pod in self.pods for record in pod.end(_now()))
        return self.uplink.finish(DONE_S)

    def put(self, records: Iterable[Record]) -> None:
        """As one batch."""
        for record in records:
            self.outbox.put(record)
        self.outbox.sent()


def _now() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
