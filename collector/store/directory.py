"""What lies where in a store directory, who holds it, and how its socket is reached.

`lock` (flock, with the holder's pid), `version`, `fingerprint.key` (32 random bytes; after a rotation with its number behind them),
`marks.key` (the first one, after a rotation), `masking.yaml` (what is masked besides the built-ins), `spool.key` (X25519, made once:
opens what agents left in their spools) and its public half `spool.pub` in base64, `clickhouse/`, `alerts.sqlite` (the outbox of
alerts), `collector.sock`, `line.sock` and `decide.sock`. A `run`'s agent has its `spool/` here too. The directory is 0700, files and
sockets 0600.
"""

import base64
import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chaperone.proto import local_line
from chaperone.proto.sealed import public_of

SOCKET = "collector.sock"
DECISIONS = "decide.sock"  # where people decide on approvals: its peers are known by the kernel
LINE = local_line.SOCKET  # where agents of this machine deliver
SOCKET_PATH_LIMIT = 107  # sun_path without its NUL, unix(7)
MASKING = "masking.yaml"
KEY_SIZE = 32
_KEYS = {"fingerprint.key", "fingerprint.new", "marks.key", "marks.new", "spool.key", "spool.pub", "spool.new"}
_OUTBOX = {f"alerts.sqlite{broken}{end}" for broken in ("", ".broken") for end in ("", "-wal", "-shm")}
_OURS = {"lock", "version", "version.new", MASKING, "masking.new", "clickhouse", "spool", SOCKET, DECISIONS, LINE} | _KEYS | _OUTBOX


class DirectoryError(Exception):
    """A directory that cannot be a store; the message is one sentence with a next step."""


class LockedError(DirectoryError):
    """Another process has the store open."""


@dataclass(slots=True)
class StoreDirectory:
    """A store directory, held by this process until closed."""

    path: Path
    lock: int
    keys: Path | None = None  # where the keys are that several collectors share

    @property
    def database(self) -> Path:
        """Where ClickHouse keeps its files."""
        return self.path / "clickhouse"

    @property
    def version_file(self) -> Path:
        """The number of the last applied migration."""
        return self.path / "version"

    def key(self) -> bytes:
        """The installation's fingerprint key; made at the first call."""
        return self._keys()[:KEY_SIZE]

    def key_number(self) -> int:
        """How many keys there have been."""
        return int.from_bytes(self._keys()[KEY_SIZE:], "big") or 1

    def sealing_key(self) -> bytes:
        """What marks are sealed with: the first fingerprint key, so that they outlive a rotation."""
        first = (self.keys or self.path) / "marks.key"
        return first.read_bytes() if first.exists() else self.key()

    def rotate_key(self) -> int:
        """Another fingerprint key in the old one's place; its number."""
        if self.keys:
            raise DirectoryError(f"the keys in {self.keys} are those of several collectors: they are not ours to change")
        if not (self.path / "marks.key").exists():
            write_whole(self.path / "marks.key", self.key())
        number = self.key_number() + 1
        write_whole(self.path / "fingerprint.key", secrets.token_bytes(KEY_SIZE) + number.to_bytes(4, "big"))
        return number

    def masking(self) -> str:
        """What collectors mask besides the built-ins: the text of a file of kind Masking; "" for nothing."""
        path = self.path / MASKING
        return path.read_text() if path.exists() else ""

    def remember_masking(self, text: str) -> None:
        """For this collector and those after it."""
        write_whole(self.path / MASKING, text.encode())

    def _keys(self) -> bytes:
        if self.keys:
            return _shared_key(self.keys / "fingerprint.key")
        path = self.path / "fingerprint.key"
        if not path.exists():
            write_whole(path, secrets.token_bytes(KEY_SIZE))
        return path.read_bytes()

    def spool_key(self) -> X25519PrivateKey:
        """Opens agents' spools; made at the first call, with its public half for agents that never met a collector."""
        path = self.path / "spool.key"
        if not self.keys and not path.exists():
            write_whole(path, X25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
        key = X25519PrivateKey.from_private_bytes(_shared_key(self.keys / "spool.key")[:KEY_SIZE] if self.keys else path.read_bytes())
        write_whole(self.path / "spool.pub", base64.b64encode(public_of(key)) + b"\n")
        return key

    def close(self) -> None:
        """Let others open it. The lock file stays: removing it would let two processes hold two locks."""
        os.close(self.lock)

    def __enter__(self) -> "StoreDirectory":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def hold(path: Path, keys: Path | None = None) -> StoreDirectory:
    """Make the directory if need be and take its lock. DirectoryError or LockedError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_others(path)
        _refuse_foreign(path)
        lock = _lock(path / "lock")
        path.chmod(0o700)
        (path / "clickhouse").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DirectoryError(f"cannot use {path} as a store: {error.strerror}; name another with --store") from None
    return StoreDirectory(path, lock, keys)


def _shared_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise DirectoryError(f"the collectors' key {path} can't be read: {error.strerror}") from None
    if len(key) not in (KEY_SIZE, KEY_SIZE + 4):  # after a rotation its number is behind it
        raise DirectoryError(
            f"the collectors' key {path} has {len(key)} bytes, not {KEY_SIZE}: make it with head -c {KEY_SIZE} /dev/urandom"
        )
    return key


def holder(path: Path) -> int | None:
    """The pid of the process that has the store open, None when nobody has."""
    try:
        descriptor = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(descriptor, 32) or b"0")
    finally:
        os.close(descriptor)
    return None


def socket_target(store: Path) -> str:
    """The gRPC target of the store's socket."""
    return f"unix:{socket_path(store, SOCKET)}"


def socket_path(store: Path, name: str) -> str:
    """A path of one of the store's sockets. One too long for a socket address goes through an open descriptor of the directory,
    which stays open as long as this process lives."""
    path = store.absolute() / name
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return str(path)
    descriptor = os.open(store, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{descriptor}/{name}"


def _refuse_others(path: Path) -> None:
    """Its owner could put links in the place of our files, and a fingerprint key that they know."""
    if path.stat().st_uid != os.geteuid():
        raise DirectoryError(f"{path} belongs to another user: name a directory of your own, or a new one, with --store")


def _refuse_foreign(path: Path) -> None:
    foreign = {entry.name for entry in path.iterdir()} - _OURS
    if foreign and not (path / "version").exists():
        raise DirectoryError(f"{path} is not a Chaperone store (it holds {min(foreign)!r}): name an empty directory with --store")


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 32).decode() or "?"
        os.close(descriptor)
        raise LockedError(
            f"the store {path.parent} is locked by process {pid}, which has it open: use its socket, or stop that process"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file whole or not at all, also when the machine stops in between."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(path)
