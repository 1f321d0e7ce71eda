"""The end of a recording: the agent's last records, or, if it died, the end that it could not send any more."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import zstandard

from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.launch.agent import Agent, deliver
from chaperone.collector.settings import version
from chaperone.collector.store.directory import socket_target
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.capture_pb2_grpc import CaptureStub
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note, SessionEnded, pack

CONTRACT = 1
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Concludes one session. `reach` makes sure that a collector listens at `socket`."""

    session: str
    socket: Path
    reach: Callable[[], None]

    def troubles(self, agent: Agent, status: int, left: int) -> Iterator[str]:
        """Let the agent deliver its last records; what went wrong with that. CMD's status is known and stays."""
        unreached = self._unreached()  # a collector that died meanwhile is replaced and gets what the agent has kept
        report = agent.finish(status, left)
        if report.is_said:
            yield from (trouble for trouble in (unreached, report.trouble) if trouble)
        else:
            yield from self._ended_for_it(report.trouble, status)

    def _unreached(self) -> str:
        """Why no collector answers; "" when one does."""
        try:
            self.reach()
        except CommandError as error:
            return error.sentence
        return ""

    def _ended_for_it(self, trouble: str, status: int) -> Iterator[str]:
        """Deliver what the dead agent left, and end the session in its place with a note of the trouble; why that could not be."""
        if unreached := self._unreached():  # a killed agent takes its time to end, in which its collector had nobody to be there for
            yield unreached
        if deliver(self.socket, self.session, (status, trouble)):
            return
        try:
            send_end(self.socket, SessionId(self.session), (trouble, status))
        except grpc.RpcError:
            yield trouble
            yield "the collector did not take the session's end"


def send_end(socket: Path, session: SessionId, ending: tuple[str, int]) -> None:
    """As an agent of its own: a note that the recording is incomplete and why, then the end. grpc.RpcError if refused."""
    trouble, status = ending
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    note = Note(session, now, "agent", f"{trouble}: what followed was not recorded", complete=False)
    data = pack([note, SessionEnded(session, now, status)])
    frame = zstandard.ZstdCompressor().compress(data)
    batch = wire.Batch(number=1, wall_offset_ns=time.time_ns() - now, records=frame, size=len(data))
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    hello = wire.Hello(contract=CONTRACT, agent=f"launcher of {session}", boot_id=boot, version=version())
    messages = (wire.Upward(hello=hello), wire.Upward(batch=batch))
    with grpc.insecure_channel(socket_target(socket.parent)) as channel:
        for _ in CaptureStub(channel).Stream(iter(messages), timeout=ANSWER_S):
            pass
