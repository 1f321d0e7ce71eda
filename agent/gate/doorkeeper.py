"""The process at the door: it seizes who arrives at once, lets go whom it is told to, and everybody when the agent is gone.

`python -m chaperone.agent.gate.doorkeeper RING SIZE HALTED STATE`: descriptors of maps of bpf/gate.h; the agent is at the other
end of stdin. It is a process of its own because ptrace lets a tracee go when its tracer's thread has ended, and that of an
agent with thousands of probes to take off may take a while; because a SIGSTOP of bpf/gate.h outlives the agent; and because who
waits in the kernel cannot wait for another thread's Python.
"""

import contextlib
import os
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator

from chaperone.agent.child import word_of
from chaperone.agent.gate.layout import GateKind, GateState, ReadRecord, Thread, record_of
from chaperone.agent.gate.maps import Map, RingReader
from chaperone.agent.gate.waiting import Waiting
from chaperone.agent.ready import readable

TICK_S = 0.1
SETTLE_S = 0.0005  # between looks whether who was seized has stopped
LINGER_S = 0.05  # for those who were on their way when the hooks were taken off; bpf/gate.h takes 20 ms at the most
AFTERWARDS_S = 1.0  # the same when the agent has died, which takes its hooks along a little later
READY = b"\0"
TID = struct.Struct("=I")  # to us: a thread that may go on; from us: a workload, one of whose threads had gone on before it stopped
GOODBYE = 0  # instead of a thread: the hooks are gone, all may go on
BACKLOG = 4096  # arrivals that the agent has not taken; execs beyond it are met at their connects
FIRST = Thread(0)  # of an array: a number as wide as a thread's


class Doorkeeper:
    """Between the ring and the agent's socket. `is_dismissed`: the agent said goodbye; otherwise it died."""

    def __init__(self, agent: socket.socket, ring: RingReader, waiting: Waiting) -> None:
        self.agent, self.ring, self.waiting = agent, ring, waiting
        self.backlog: deque[bytes] = deque()
        self.is_dismissed = False

    def forget(self) -> None:
        """What the ring has from before anybody was at the door: nobody waited for it."""
        for _record in self.ring.take():
            continue

    def run(self) -> None:
        """Until the agent hangs up."""
        while self._step():
            continue

    def _step(self) -> bool:
        timeout_s = SETTLE_S if self.waiting.is_unsettled() else TICK_S
        agent, ring = self.agent.fileno(), self.ring.descriptor
        ready = readable([agent, ring], timeout_s, [agent] if self.backlog else [])
        for record in self.ring.take():
            self._arrived(record)
        self.waiting.settle()
        self._tell()
        if not ready:
            self.waiting.resume_halted()
        return agent not in ready or self._told()

    def _arrived(self, data: bytes) -> None:
        """Seize first."""
        record = record_of(data)
        if isinstance(record, ReadRecord):
            self.waiting.take(record.thread, is_connecting=False)
        elif record.head.kind == GateKind.CONNECT:
            self.waiting.take(record.thread, record.head.workload)
        elif len(self.backlog) >= BACKLOG:
            return
        self.backlog.append(data)

    def say_last(self) -> None:
        """Who went on before it stopped, of whom the agent does not know."""
        with contextlib.suppress(ConnectionError):
            for message in (*self.backlog, *self._late()):
                if len(message) == TID.size:
                    self.agent.send(message)

    def _late(self) -> Iterator[bytes]:
        """To be told: one message for each."""
        while self.waiting.late:
            yield TID.pack(self.waiting.late.pop())

    def _tell(self) -> None:
        """Hand on what the agent has room for."""
        self.backlog.extend(self._late())
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while self.backlog:
                self.agent.send(self.backlog[0], socket.MSG_DONTWAIT)
                self.backlog.popleft()

    def _told(self) -> bool:
        """Let go whom the agent names; False: it hung up."""
        if not (data := word_of(self.agent, TID.size)):
            return False
        (number,) = TID.unpack(data)
        self.is_dismissed = number == GOODBYE
        self.waiting.release(number)
        return not self.is_dismissed


def main(arguments: list[str]) -> None:
    """Keep the door; at the end, open it for all."""
    ring, size, halted, state = map(int, arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it is the agent that ends us
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    waiting, states = Waiting(Map(halted, Thread, Thread), os.getppid()), Map(state, Thread, GateState)
    agent = socket.socket(fileno=0)
    keeper = Doorkeeper(agent, RingReader(ring, size), waiting)
    keeper.forget()
    with contextlib.suppress(ConnectionError):  # it died meanwhile: `run` sees that
        agent.send(READY)
    try:
        keeper.run()
    finally:
        open_for_all(states)
        waiting.close()
        resume_stragglers(waiting, LINGER_S if keeper.is_dismissed else AFTERWARDS_S)
        keeper.say_last()


def open_for_all(states: Map[Thread, GateState]) -> None:
    """Nobody shall wait from now on."""
    state = states.get(FIRST) or GateState()
    states.put(FIRST, GateState(state.waiting, 1))


def resume_stragglers(waiting: Waiting, seconds: float) -> None:
    """Those who were on their way when the gate was opened."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        waiting.resume_halted()
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1:])
