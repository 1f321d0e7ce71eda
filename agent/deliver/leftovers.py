"""What agents before us left in the spool because they died, or because no collector came: passed on as it lies there, then removed.

We can't read it. An agent is dead when its folder's lock can be taken; we hold that until the end, so that nobody else passes it on
meanwhile. At the end its open sessions are ended, with a note that says what is not known. What no collector can open stays, up to
a limit; the oldest goes first.
"""

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from chaperone.agent.deliver.clock import wall_offset_ns
from chaperone.agent.deliver.segment import SUFFIX, Frame, frames_in
from chaperone.agent.deliver.spool import START, last_sign, lock_of, own_folder
from chaperone.agent.settings import Ended
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note, Record, SessionEnded, pack

DIED, UNRECORDED = "the agent that recorded it died", "what followed was not recorded"


@dataclass(slots=True)
class Start:
    """A dead agent's folder. `sessions`: those that it had not ended."""

    folder: Path
    lock: int
    sealed_key: bytes
    sessions: tuple[SessionId, ...]
    highest: int = 0  # number of the last frame that was passed on
    missing: int = 0  # numbers between frames that are not there
    refusal: str = ""
    is_told: bool = False  # to its end, in this conversation
    died_ns: int = 0  # boot time of the last sign of life
    offset: int = 0  # of the wall clock to it then
    boot: str = ""

    @property
    def agent(self) -> str:
        """Its id."""
        return self.folder.name

    def leftover(self, number: int = 0, frame: bytes = b"", last: wire.Batch | None = None) -> wire.Leftover:
        """Something of it, as it is passed on."""
        return wire.Leftover(agent=self.agent, boot_id=self.boot, sealed_key=self.sealed_key, number=number, frame=frame, last=last)

    def frames(self) -> Iterator[Frame]:
        """What it wrote, in order; counts what is missing in between."""
        self.highest = self.missing = 0
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            for frame in frames_in(path):
                if frame.number > self.highest:
                    self.missing += frame.number - self.highest - 1 if self.highest else 0
                    self.highest = frame.number
                    yield frame

    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.glob(f"*{SUFFIX}"))

    def remove(self) -> None:
        """Nobody needs it any more."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let others have it."""
        os.close(self.lock)


@dataclass(slots=True)
class Leftovers:
    """All dead agents' folders below `root`. `known`: how sessions ended, where somebody knows."""

    root: Path
    limit: int
    known: Mapping[str, Ended] = field(default_factory=dict)
    starts: dict[str, Start] = field(default_factory=dict)
    ended: list[SessionId] = field(default_factory=list)  # of folders that were delivered

    def find(self) -> None:
        """Look for them; beyond the limit the oldest are given up. OSError."""
        folders = [path for path in own_folder(self.root).iterdir() if path.is_dir() and not path.name.startswith(".")]
        found = sorted(filter(None, map(_start, folders)), key=lambda start: -start.died_ns - start.offset)
        room = self.limit
        for start in found:
            room -= start.size()
            if not start.sealed_key or not (start.sessions or start.size()) or room < 0:
                start.remove()  # nobody can ever open it, or there is nothing, or it must make way
            else:
                self.starts[start.agent] = start

    def messages(self) -> Iterator[wire.Upward]:
        """Everything, for one conversation with a collector."""
        for start in list(self.starts.values()):
            start.refusal, start.is_told = "", False
            for frame in start.frames():
                if start.refusal:
                    break
                yield wire.Upward(leftover=start.leftover(number=frame.number, frame=frame.data))
            if not start.refusal:
                start.is_told = True
                yield wire.Upward(leftover=start.leftover(last=self._last(start)))

    def acknowledge(self, agent: str, number: int) -> None:
        """All up to this number is stored: with a number behind the last frame's, that its sessions are ended as well."""
        start = self.starts.get(agent)
        if start and start.is_told and number > start.highest:
            self.ended += start.sessions
            start.remove()
            del self.starts[agent]

    def refuse(self, agent: str, reason: str) -> None:
        """This collector can't open it: another may."""
        if agent in self.starts:
            self.starts[agent].refusal = reason

    def under_way(self) -> bool:
        """Whether there is anything left that this collector may take."""
        return any(not start.refusal for start in list(self.starts.values()))

    def close(self) -> None:
        """Let others have what could not be delivered."""
        for start in self.starts.values():
            start.close()

    def _last(self, start: Start) -> wire.Batch:
        """The end of its sessions, at the time of its last sign of life. Always the same, whoever says it how often."""
        data = pack(self._ending(start, start.died_ns))
        frame = zstandard.ZstdCompressor(level=1).compress(data)
        return wire.Batch(wall_offset_ns=start.offset, records=frame, size=len(data))

    def _ending(self, start: Start, time: int) -> Iterator[Record]:
        for session in start.sessions:
            ended = self.known.get(session, Ended())
            yield Note(session, time, "agent", f"{ended.why or DIED}: {UNRECORDED}", complete=False)
            if start.missing:
                yield Note(session, time, "spool", f"{start.missing} batches were damaged on disk", complete=False)
            yield SessionEnded(session, time, ended.status)


def _start(folder: Path) -> Start | None:
    """A folder whose agent is dead; None if it lives."""
    if (lock := lock_of(folder)) is None:
        return None
    died_ns, offset = last_sign(folder, wall_offset_ns)
    try:
        told = json.loads((folder / START).read_text())
        sessions = tuple(SessionId(str(session)) for session in told["sessions"])
        key, boot = base64.b64decode(told["sealed_key"]), str(told.get("boot_id", ""))
        return Start(folder, lock, key, sessions, died_ns=died_ns, offset=offset, boot=boot)
    except (OSError, ValueError, KeyError, TypeError):
        return Start(folder, lock, b"", (), died_ns=died_ns, offset=offset)  # it died before it had anything to say
