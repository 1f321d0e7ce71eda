"""The agent's side of the door: its process, and the socket to it."""

import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress

from chaperone.agent.gate.doorkeeper import GOODBYE, TID
from chaperone.agent.gate.layout import RECORD_LIMIT, GateRecord, GateState, ReadRecord, Thread, record_of
from chaperone.agent.gate.maps import Map
from chaperone.agent.gate.waiting import Waiting
from chaperone.agent.ready import readable
from chaperone.agent.trace.kernel import Kernel

RING_SIZE = 64 * 4096  # bpf/gate.h
START_S = 30.0


class Door:
    """`arrival`s in their order; who connects waits until `let_go`. `late`: threads that went on before they stopped, by workload."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self.late = kernel, Counter[int]()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def start(self) -> None:
        """Have its process begin; it is there when `await_kept` returns."""
        self.kernel.store("gate_state", GateState())
        maps = [self.kernel.descriptor(name) for name in ("gates", "halted", "gate_state")]
        arguments = map(str, (maps[0], RING_SIZE, *maps[1:]))
        command = [sys.executable, "-m", "chaperone.agent.gate.doorkeeper", *arguments]
        with self._theirs as theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, pass_fds=maps, start_new_session=True
            )

    def await_kept(self) -> None:
        """RuntimeError if nobody comes: then nobody must be made to wait."""
        if not readable([self._socket.fileno()], START_S) or self._received(1) is None:
            raise RuntimeError("the gate's process did not start")

    @property
    def pid(self) -> int:
        """Of its process; 0 before `start`."""
        return self._process.pid if self._process else 0

    @property
    def is_kept(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def arrival(self, timeout_s: float) -> GateRecord | ReadRecord | None:
        """The next one, or None if there is none in time, or nobody at the door."""
        while readable([self._socket.fileno()], timeout_s) and (data := self._received(RECORD_LIMIT)):
            if not self._is_counted(data):
                return record_of(data)
            timeout_s = 0
        return None

    def let_go(self, tid: int) -> None:
        """A thread may go on; all do so when nobody is at the door, or it is closed."""
        with suppress(OSError):
            self._socket.send(TID.pack(tid))

    def close(self) -> None:
        """Say goodbye, when no hook is left: everybody goes on, and the process ends."""
        self.let_go(GOODBYE)
        if self._process is not None:
            while data := self._received(RECORD_LIMIT):
                self._is_counted(data)
            self._process.wait()
        self._socket.close()
        Waiting(Map(self.kernel.descriptor("halted"), Thread, Thread)).resume_halted()  # should it have died before us

    def _is_counted(self, data: bytes) -> bool:
        """Whether a message is no arrival: it names a workload."""
        if is_late := len(data) == TID.size:
            self.late[TID.unpack(data)[0]] += 1
        return is_late

    def _received(self, size: int) -> bytes | None:
        """One message; None if it hung up."""
        try:
            return self._socket.recv(size) or None
        except ConnectionError:
            return None
