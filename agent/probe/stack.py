"""Which TLS stack a process speaks that no probe reads: a name for the recording, from the names of what it has mapped and from
texts that each stack leaves in a program, stripped or not.

A name, never a decision: the files are the workload's and may say anything. They are read in pieces and within limits, never mapped
(a file cut short under a mapping would end us), and each is looked through once.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from chaperone.agent.workload.processes import PROC

UNKNOWN = "TLS stack unknown"
NAMES = ((b"libjvm", "Java's JSSE"), (b"libnss3", "NSS"))  # file name begins so
MARKS = (  # file contains; the first that fits names it
    (b"rustls-0.", "rustls"),
    (b"boringssl", "BoringSSL"),
    (b"crypto/tls.(*Conn).", "Go's crypto/tls"),
    (b"ssl/ssl_lib.c\0", "OpenSSL"),  # a source file of libssl, not of libcrypto
    (b"GNUTLS_SKIP_GLOBAL_INIT", "GnuTLS"),
    (b"mbedtls_ssl_", "Mbed TLS"),
    (b"wolfSSL_", "wolfSSL"),
)
LONGEST = max(len(mark) for mark, _ in MARKS)
PIECE = 1 << 20
SIZE_LIMIT = 96 << 20  # bytes of one file that are looked through
FILE_LIMIT = 64  # of one process
CACHE_LIMIT = 4096
Identity = tuple[int, int, int, int]


Kept = Callable[[int, int], AbstractContextManager[list[int]]]


class Stacks:
    """`is_probed`: whether a file (by descriptor) has probes, so that it is not what nobody can read. `kept`: handles of the files that
    a process (pid and begin) had mapped when it was looked into, gone or not.
    """

    def __init__(self, is_probed: Callable[[int], bool], kept: Kept) -> None:
        self.is_probed, self.kept = is_probed, kept
        self._known: dict[Identity, str] = {}

    def of(self, pid: int, started: int) -> str:
        """The stacks in a process without probes; else those with (they came too late); or that none is known."""
        with self.kept(pid, started) as kept:
            files = [*_opened(pid), *_reopened(kept)]  # all before any is looked through: the process may end meanwhile
        try:
            names = self._names(files, False) or self._names(files, True)
        finally:
            for descriptor, _name in files:
                os.close(descriptor)
        return " or ".join(names) or UNKNOWN

    def _names(self, files: list[tuple[int, bytes]], are_probed: bool) -> list[str]:
        """Each once. What is probed is looked through only in the second turn, which few processes need."""
        chosen = [(descriptor, name) for descriptor, name in files if self.is_probed(descriptor) == are_probed]
        return list(dict.fromkeys(stack for descriptor, name in chosen if (stack := self._named(descriptor, name))))

    def _named(self, descriptor: int, name: bytes) -> str:
        about = os.fstat(descriptor)
        identity = (about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size)
        if identity not in self._known:
            if len(self._known) >= CACHE_LIMIT:
                self._known.clear()
            self._known[identity] = _by_name(name) or _by_content(descriptor)
        return self._known[identity]


def _opened(pid: int) -> Iterator[tuple[int, bytes]]:
    for path, name in _mapped(pid):
        with contextlib.suppress(OSError):  # gone, or no file any more
            yield os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY), name


def _reopened(handles: list[int]) -> Iterator[tuple[int, bytes]]:
    for handle in handles:
        path = Path(f"/proc/self/fd/{handle}")
        with contextlib.suppress(OSError):
            yield os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY), os.fsencode(path.readlink().name)


def _mapped(pid: int) -> Iterator[tuple[bytes, bytes]]:
    """(entry in map_files, base name) of the files that a process executes code from, each file once."""
    folder = os.fsencode(PROC / str(pid))
    seen: dict[bytes, bytes] = {}
    try:
        with open(folder + b"/maps", "rb") as maps:  # noqa: PTH123  (bytes: the kernel escapes line feeds in paths, not all else)
            rows = [line.split(maxsplit=5) for line in maps.read().split(b"\n")]
    except OSError:
        return
    for row in rows:
        if len(row) == 6 and b"x" in row[1] and row[5].startswith(b"/") and len(seen) < FILE_LIMIT:
            seen.setdefault(row[5], row[0])
    for path, span in seen.items():
        yield folder + b"/map_files/" + _unpadded(span), path.rpartition(b"/")[2]


def _unpadded(span: bytes) -> bytes:
    """maps pads low addresses to eight digits, map_files does not."""
    return b"-".join(b"%x" % int(address, 16) for address in span.split(b"-"))


def _by_name(name: bytes) -> str:
    return next((stack for begin, stack in NAMES if name.startswith(begin)), "")


def _by_content(descriptor: int) -> str:
    """The first of MARKS that the file contains, in the order of the table."""
    found: set[str] = set()
    for at in range(0, SIZE_LIMIT, PIECE):
        piece = os.pread(descriptor, PIECE + LONGEST, at)
        found.update(stack for mark, stack in MARKS if stack not in found and mark in piece)
        if len(piece) <= LONGEST:
            break
    return next((stack for _mark, stack in MARKS if stack in found), "")
