"""One thread that stands at the end of a TLS call, and its memory: what is read counts only if it did not run meanwhile.

Nobody can be trusted to keep it there: the process at the door may die, another tracer may have it, or nobody may trace at all. So
it is asked before the first piece and after each whether the door has it stopped. And who makes us wait for its memory does so
three times: the others have nothing to do with it.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from errno import EBUSY, ESRCH

from chaperone.agent.gate.layout import ReadRecord
from chaperone.agent.gate.memory import PIECE, Reader
from chaperone.agent.workload.processes import status_of

PATIENCE_S = 0.5  # for a piece
STOPPING_S = 0.2  # from being seized to standing still
STRIKES = 3  # of a workload
STUCK = 4  # readers that did not come back, of all
TRACED = "t"


class Readers:
    """The thread that reads memory, another one when it does not come back, and who made it so."""

    def __init__(self) -> None:
        self.strikes: Counter[int] = Counter()
        self._reader: Reader | None = None
        self._stuck: list[Reader] = []

    def read(self, workload: int, pid: int, address: int, size: int) -> bytes:
        """One piece, or OSError."""
        self._stuck = [reader for reader in self._stuck if reader.is_alive()]
        if self.strikes[workload] >= STRIKES or len(self._stuck) >= STUCK:
            raise OSError(EBUSY, "memory of this workload took too long before")
        self._reader = self._reader or Reader()
        try:
            return self._reader.read(pid, address, size, PATIENCE_S)
        except TimeoutError:
            self.strikes[workload] += 1
            self._stuck.append(self._reader)
            self._reader = None
            raise

    def forgive(self, workload: int) -> None:
        """Its number will be another's."""
        del self.strikes[workload]

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.leave()
        self._reader = None


class Held:
    """What the kernel said of the thread, and its memory. `tracer`: the process at the door; `others`: threads of ours that trace, too."""

    def __init__(self, record: ReadRecord, tracer: int, readers: Readers, others: Collection[int] = ()) -> None:
        self.record, self.readers = record, readers
        self.tracers = {str(one) for one in (tracer, *others)}

    def pieces(self) -> Iterator[bytes]:
        """The bytes that the kernel could not copy, in order; OSError at the first piece that is not surely what the call had."""
        head, address, size = self.record.tls.head, self.record.address, self.record.tls.size
        self._await_stop()
        for at in range(0, size, PIECE):
            data = self.readers.read(head.workload, head.pid, address + at, min(PIECE, size - at))
            if not self._stands():
                raise ProcessLookupError(ESRCH, "it did not stay where it was")
            yield data

    def _await_stop(self) -> None:
        """It was seized before we were told of it."""
        deadline = time.monotonic() + STOPPING_S
        while not self._stands():
            if status_of(self.record.thread)["TracerPid"] not in self.tracers or time.monotonic() > deadline:
                raise ProcessLookupError(ESRCH, "it does not stop for us")
            time.sleep(0.0005)

    def _stands(self) -> bool:
        status = status_of(self.record.thread)
        return status["State"][:1] == TRACED and status["TracerPid"] in self.tracers
