"""A dead agent's folder in the spool, held by its lock: what is in it, and what of that is whole."""

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaperone.agent.deliver.clock import wall_offset_ns
from chaperone.agent.deliver.segment import SUFFIX, Frame, frames_in
from chaperone.agent.deliver.spool import RESERVE, START, Cut, last_sign, lock_of, replaced
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import SessionId

GIVEN_UP = "given-up"  # a sentence: what was in the folder and why it is there no more


@dataclass(slots=True)
class Start:
    """`sessions`: those that it had not ended. `cuts`: of them those that it had cut."""

    folder: Path
    lock: int
    sealed_key: bytes = b""
    sessions: tuple[SessionId, ...] = ()
    cuts: Mapping[SessionId, Cut] = field(default_factory=dict)
    highest: int = 0  # number of the last frame that was passed on
    missing: int = 0  # numbers between frames that are not there
    spoiled: int = 0  # bytes on disk that are no whole frame
    refusal: str = ""
    given_up: str = ""
    is_told: bool = False  # to its end, in this conversation
    died_ns: int = 0  # boot time of the last sign of life
    offset: int = 0  # of the wall clock to it then
    boot: str = ""

    @property
    def agent(self) -> str:
        """Its id."""
        return self.folder.name

    def leftover(self, number: int = 0, frame: bytes = b"", last: wire.Batch | None = None) -> wire.Leftover:
        """Something of it, as it is passed on: to whoever can open it, or, where there is nothing to open, to anybody."""
        key = b"" if self.given_up else self.sealed_key
        return wire.Leftover(agent=self.agent, boot_id=self.boot, sealed_key=key, number=number, frame=frame, last=last)

    def frames(self) -> Iterator[Frame]:
        """What it wrote, in order; counts what is not there or can't be read."""
        self.highest = self.missing = self.spoiled = 0
        for path in self._segments():
            try:
                yield from self._frames(path)
            except OSError:
                self.spoiled += _size(path)

    def damages(self) -> Iterator[str]:
        """What is missing of it, each a sentence. Right once all frames were passed on."""
        if self.missing:
            yield f"{self.missing} batches were damaged on disk"
        if self.spoiled:
            yield f"{self.spoiled} bytes on disk could not be read, or were cut off when it died"
        if self.given_up:
            yield f"its last batches were given up: {self.given_up}"

    def is_blank(self) -> bool:
        """Whether it left no word."""
        return not (self.sessions or self.given_up or self.size())

    def size(self) -> int:
        """Bytes on disk."""
        return sum(map(_size, self._segments()))

    def give_back(self) -> None:
        """The room that its agent had taken on the disk: where nothing is to be given up, nobody needs it any more."""
        with suppress(OSError):
            (self.folder / RESERVE).unlink(missing_ok=True)

    def give_up(self, why: str) -> None:
        """Make room. That it was so lies on disk before, until a collector has stored it. OSError."""
        self.given_up = self.given_up or f"{self.size()} bytes, since {why}"
        (self.folder / RESERVE).unlink(missing_ok=True)
        replaced(self.folder / GIVEN_UP, self.given_up.encode())
        for path in self._segments():
            path.unlink()

    def remove(self) -> None:
        """Nobody needs it any more."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let others have it."""
        os.close(self.lock)

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{SUFFIX}"))

    def _frames(self, path: Path) -> Iterator[Frame]:
        for frame in frames_in(path, self._spoil):
            if frame.number > self.highest:
                self.missing += frame.number - self.highest - 1 if self.highest else 0
                self.highest = frame.number
                yield frame

    def _spoil(self, size: int) -> None:
        self.spoiled += size


def found_in(folder: Path) -> Start | None:
    """A folder whose agent is dead; None if it lives. OSError where that can't be said."""
    if (lock := lock_of(folder)) is None:
        return None
    try:
        start = Start(folder, lock)
        next(folder.iterdir())  # or an OSError: what can't be listed isn't empty
        start.died_ns, start.offset = last_sign(folder, wall_offset_ns)
        start.given_up = (folder / GIVEN_UP).read_text() if (folder / GIVEN_UP).exists() else ""
        _describe(start)
    except OSError:
        os.close(lock)
        raise
    return start


def _describe(start: Start) -> None:
    """As it described itself; not at all if it died before it had anything to say."""
    try:
        told = json.loads((start.folder / START).read_text())
        sessions = tuple(SessionId(str(session)) for session in told["sessions"])
        cuts = {SessionId(session): (SessionId(str(goes_on)), str(why)) for session, (goes_on, why) in told.get("cuts", {}).items()}
        key, boot = base64.b64decode(told["sealed_key"]), str(told.get("boot_id", ""))
        start.sealed_key, start.boot, start.sessions, start.cuts = key, boot, sessions, cuts
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return


def _size(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
