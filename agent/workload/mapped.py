"""The files whose code a process has mapped, opened by the mappings themselves: no path is followed, none can be swapped.

Only regular files of the process's own mounts are given out: what it got from elsewhere (a descriptor passed to it, memory with
a name) is not ours to touch. The process is held by its /proc folder, so another that gets its number is never mistaken for it.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chaperone.agent.closing import Closer, has_name
from chaperone.agent.workload.processes import PROC, TICK_NS

MAPS_LIMIT = 8 << 20  # bytes of maps that are read; a process may have 65530 mappings
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


@contextmanager
def opened_process(pid: int, started: int) -> Iterator[int]:
    """A descriptor of /proc/PID, if that still is the process which started then; else ProcessLookupError.

    `started`: boot-time nanoseconds, compared as exactly as /proc is; 0: whoever has the number now.
    """
    try:
        folder = os.open(PROC / str(pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProcessLookupError(f"process {pid} is gone") from None
    try:
        if started and _started(folder) != started // TICK_NS:
            raise ProcessLookupError(f"process {pid} is another one")
        if thread := _thread_instead(folder):
            with opened_process(thread, 0) as living:
                yield living
        else:
            yield folder
    finally:
        os.close(folder)


def code_pages(folder: int) -> int:
    """Pages of executable mappings, as mm_struct.exec_vm counts them: fs/proc/task_mmu.c splits them into VmExe and VmLib."""
    sizes = [line.split()[1] for line in _read(folder, "status").splitlines() if line.startswith((b"VmExe:", b"VmLib:"))]
    return sum(map(int, sizes)) // PAGE_KIB


def mapped(folder: int, closer: Closer) -> Iterator[int]:
    """O_PATH descriptors of the files that are mapped executable, each closed when the next is asked for; by `closer` if it has no name any
    more: the process may have ended meanwhile and left the file to us alone."""
    names = set[bytes]()
    for row in (line.split(maxsplit=5) for line in _read(folder, "maps", MAPS_LIMIT).split(b"\n")):
        if len(row) < 6 or b"x" not in row[1] or row[4] == b"0" or (file := b" ".join((*row[3:5], row[5]))) in names:
            continue
        names.add(file)  # one mapping of each: device, inode and path as the kernel tells them
        with _opened(folder, _entry(row[0]), closer) as descriptor:
            if descriptor >= 0 and stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield descriptor


def own_mounts(folder: int) -> frozenset[int]:
    """The ids of the mounts that the process sees: proc_pid_mountinfo(5). Of none when it has ended: only this file then says EINVAL."""
    try:
        lines = _read(folder, "mountinfo").splitlines()
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        lines = []
    return frozenset(int(line.split(maxsplit=1)[0]) for line in lines)


def mount_of(descriptor: int) -> int:
    """The id of the mount through which a file was opened; -1 if it is not told."""
    lines = (PROC / "thread-self/fdinfo" / str(descriptor)).read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("mnt_id:")), -1)


@contextmanager
def reopened(descriptor: int) -> Iterator[int]:
    """The file of an O_PATH descriptor, for reading."""
    readable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        yield readable
    finally:
        os.close(readable)


def _entry(addresses: bytes) -> str:
    """A mapping's name in map_files: the addresses without the zeros that maps has in front."""
    return "map_files/{:x}-{:x}".format(*(int(address, 16) for address in addresses.split(b"-")))


@contextmanager
def _opened(folder: int, name: str, closer: Closer) -> Iterator[int]:
    """An O_PATH descriptor, -1 if the mapping is gone: nothing happens to what is opened so, whatever it is."""
    descriptor = -1
    with suppress(FileNotFoundError, ProcessLookupError):
        descriptor = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield descriptor
    finally:
        if descriptor >= 0 and not has_name(descriptor):
            closer.close([descriptor])
        elif descriptor >= 0:
            os.close(descriptor)


def _started(folder: int) -> int:
    """In clock ticks: proc_pid_stat(5) field 22; -1 if the process is gone."""
    fields = _stat(folder)
    return int(fields[19]) if len(fields) > 19 else -1


def _thread_instead(folder: int) -> int:
    """A thread that lives, where the process's first one has ended, which then shows no memory; 0 if it has not, or all have."""
    if _stat(folder)[:1] != [b"Z"]:
        return 0
    threads = (int(entry.name) for entry in (PROC / f"self/fd/{folder}/task").iterdir())
    return next((thread for thread in threads if _stat(folder, f"task/{thread}/")[:1] not in ([], [b"Z"], [b"X"])), 0)


def _stat(folder: int, below: str = "") -> list[bytes]:
    """From field 3 on, the state; [] if it is gone."""
    return _read(folder, f"{below}stat").rpartition(b")")[2].split()


def _read(folder: int, name: str, limit: int = 1 << 20) -> bytes:
    """At most `limit` bytes of a file in the folder; b"" if the process is gone."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except (FileNotFoundError, ProcessLookupError):
        return b""
    try:
        return _all(descriptor, limit)
    finally:
        os.close(descriptor)


def _all(descriptor: int, limit: int) -> bytes:
    data = bytearray()
    with suppress(ProcessLookupError):  # it ended while we read: what there was
        while len(data) < limit and (more := os.read(descriptor, 1 << 16)):
            data += more
    return bytes(data)
