"""Batches on disk until they are acknowledged: what waits for a collector that is away, and what outlives a killed agent.

    DIR/AGENT/lock, start.json, alive, reserve, 0000000000000001.segment, …

Each agent start has a folder, which it locks, and a key that exists in its memory only; `start.json` has that key sealed to the
collectors' public one (as soon as that is known), which sessions are open, and which of them were cut. So a later agent passes the frames
on without being able to read them (leftovers.py). `alive` has the boot time of our last sign of life, and the wall clock's offset then.
`reserve` is room for `start.json` on a full disk: a session that began must end, whatever becomes of its batches. Written to survive the
death of any process, not of the machine: nothing is synced.
"""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import struct
import time
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from pathlib import Path

from chaperone.agent.deliver.segment import DamagedError, Frame, Segment
from chaperone.proto.capture_pb2 import Batch
from chaperone.proto.ids import SessionId
from chaperone.proto.sealed import KEY_SIZE, Frames, SealError, seal_key

SEGMENT_SIZE = 4 << 20
LOCK, START, ALIVE, KNOWN, RESERVE = "lock", "start.json", "alive", "collector.key", "reserve"
RESERVED = 64 << 10  # bytes
LIFE = struct.Struct("<Qq")  # boot time, wall clock minus boot clock; written in place, so that a full disk takes it too
LIFE_NS = 1_000_000_000  # between two signs of life
Cut = tuple[SessionId, str]  # where a session's workload goes on, and why


class Spool:
    """One agent's folder. `trouble`: why the last batch could not be written; "" if it could."""

    def __init__(self, root: Path, agent: str, limit: int, boot: str = "") -> None:
        """`boot`: the kernel's boot id. OSError if there can be no folder."""
        self.agent, self.limit, self.boot, self.trouble = agent, limit, boot, ""
        self._key = os.urandom(KEY_SIZE)
        self._frames = Frames(self._key, agent)
        self._sealed, self._is_described = b"", True
        self._sessions: dict[SessionId, Cut | None] = {}
        self._segments: deque[Segment] = deque()
        self._lived = 0
        self.folder, self._lock = _locked_folder(root, agent)
        self._alive = os.open(self.folder / ALIVE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._has_reserve = reserved(self.folder / RESERVE)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    @property
    def waiting(self) -> int:
        """Bytes of them that are not released."""
        return sum(segment.size - segment.released for segment in self._segments)

    def seal_to(self, public: bytes) -> None:
        """Let the holder of the private half open what is here. ValueError if that is no key."""
        self._sealed = seal_key(self._key, self.agent, public)
        self._describe()

    def remember(self, public: bytes) -> None:
        """The key of a collector that welcomed us: for now, and for a start that meets no collector. One that is no key is none."""
        try:
            self.seal_to(public)
            replaced(self.folder.parent / KNOWN, base64.b64encode(public), self.folder)
        except (OSError, ValueError) as error:
            self.trouble = f"the collector's key can't be used: {type(error).__name__}"

    def begin(self, session: SessionId) -> None:
        """A session whose end nobody else will tell if we die."""
        self._sessions[session] = None
        self._describe()

    def cut(self, session: SessionId, goes_on: SessionId, why: str) -> None:
        """What it is to be ended with, if we die before it has: that its workload went on in another one."""
        if session in self._sessions:
            self._sessions[session] = goes_on, why
            self._describe()

    def end(self, sessions: Iterable[SessionId]) -> None:
        """Their ends are among the batches here, or stored."""
        if found := self._sessions.keys() & set(sessions):
            for session in found:
                del self._sessions[session]
            self._describe()

    def live(self, offset: Callable[[], int]) -> None:
        """Say from time to time that we live. Where the disk refuses even that, the last batch says it."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if now - self._lived < LIFE_NS:
            return
        self._lived = now
        self._has_reserve = self._has_reserve or reserved(self.folder / RESERVE)
        with contextlib.suppress(OSError):
            os.pwrite(self._alive, LIFE.pack(now, offset()), 0)

    def append(self, batch: Batch, parts: Mapping[SessionId, int]) -> bool:
        """Write the next batch, so many bytes of it of each session. False: there is no room, or the disk refuses it; `trouble` says so."""
        frame = self._frames.seal(batch)
        try:
            if not self._is_described:
                self._write_start()
            if self.size + len(frame) > self.limit:
                raise OSError(0, f"the spool has reached its limit of {self.limit >> 20} MiB")
            segment = self._current(batch.number)
            segment.append(Frame(batch.number, frame))
            segment.parts.update(parts)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            return False
        self.trouble = ""
        return True

    def read(self, number: int) -> Batch | None:
        """A batch that was written here; None if it is damaged."""
        try:
            return self._frames.open(number, self._segment(number).read(number).data)
        except (DamagedError, SealError, OSError):
            return None

    def sessions_beside(self, number: int) -> list[SessionId]:
        """Of which there is anything in the file that has this batch: whose it is itself is not kept."""
        return list(self._segment(number).parts)

    def release(self, through: int) -> Counter[SessionId]:
        """Nobody needs batches up to this number any more: how many bytes less wait by session, once a whole file of them is released."""
        freed: Counter[SessionId] = Counter()
        for segment in takewhile(lambda segment: segment.first <= through, self._segments):
            freed.update(segment.release(through))
        while self._segments and self._segments[0].last <= through and self._is_full(self._segments[0]):
            self._segments.popleft().remove()
        return freed

    def close(self) -> None:
        """Leave what is not acknowledged to a later agent; nothing is left if nothing waits and no session is open."""
        if not (self.waiting or self._sessions):
            shutil.rmtree(self.folder, ignore_errors=True)
        for segment in self._segments:
            segment.close()
        os.close(self._alive)
        os.close(self._lock)

    def _is_full(self, segment: Segment) -> bool:
        """Not the one that is written, unless its end would be near: a file for each batch would cost more than it saves."""
        return segment is not self._segments[-1] or segment.size > SEGMENT_SIZE // 4

    def _segment(self, number: int) -> Segment:
        """The one that has this batch."""
        return self._segments[bisect_right(self._segments, number, key=lambda segment: segment.first) - 1]

    def _current(self, number: int) -> Segment:
        if not self._segments or self._segments[-1].size >= SEGMENT_SIZE:
            self._segments.append(Segment(self.folder, number))
        return self._segments[-1]

    def _describe(self) -> None:
        """Say in `start.json` how things are, now or, where the disk refuses it, before the next batch."""
        self._is_described = False
        try:
            self._write_start()
        except OSError as error:
            self.trouble = error.strerror or str(error)

    def _write_start(self) -> None:
        start = {"agent": self.agent, "boot_id": self.boot, "sealed_key": base64.b64encode(self._sealed).decode()}
        cuts = {session: cut for session, cut in self._sessions.items() if cut}
        data = json.dumps(start | {"sessions": list(self._sessions), "cuts": cuts}).encode()
        try:
            replaced(self.folder / START, data)
        except OSError:
            if not self._has_reserve:
                raise
            (self.folder / RESERVE).unlink()
            self._has_reserve = False
            replaced(self.folder / START, data)
        self._is_described = True


def known_key(root: Path) -> bytes:
    """The key of the last collector that welcomed an agent here; b"" if none did."""
    try:
        return base64.b64decode((root / KNOWN).read_bytes())
    except (OSError, ValueError):
        return b""


def last_sign(folder: Path, offset: Callable[[], int]) -> tuple[int, int]:
    """A dead agent's last sign of life: boot time and offset. Without one, by its files' times, which are the wall clock's. OSError."""
    try:
        boot_ns, of_then = LIFE.unpack((folder / ALIVE).read_bytes())
        return int(boot_ns), int(of_then)
    except (FileNotFoundError, struct.error):
        wall = max(path.stat().st_mtime_ns for path in (folder, *folder.iterdir()))
        boot_ns = max(0, wall - offset())
        return boot_ns, wall - boot_ns


def own_folder(root: Path) -> Path:
    """The spool's directory, made if need be, for us alone. OSError."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if root.stat().st_uid != os.geteuid():
        raise PermissionError(0, f"the spool {root} belongs to another user: name another with --spool")
    root.chmod(0o700)
    return root


def lock_of(folder: Path) -> int | None:
    """Hold a folder's lock; None while another process does. OSError."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _locked_folder(root: Path, agent: str) -> tuple[Path, int]:
    """Locked before it has its name, so that nobody takes it for a dead agent's."""
    draft, folder = own_folder(root) / f".{agent}", root / agent
    draft.mkdir(mode=0o700)
    lock = lock_of(draft)
    assert lock is not None, "nobody knows this name"
    draft.rename(folder)
    return folder, lock


def reserved(path: Path) -> bool:
    """Take room on the disk that can be given back when there is none. False: there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVED)
        finally:
            os.close(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def replaced(path: Path, data: bytes, drafts: Path | None = None) -> None:
    """Whole or not at all. `drafts`: a folder beside, for what is left of it when we die meanwhile."""
    draft = (drafts or path.parent) / f"{path.name}.{os.getpid()}"
    draft.write_bytes(data)
    draft.replace(path)
