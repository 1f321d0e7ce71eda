"""What /proc says about a process, read at once: the process may be gone a millisecond later."""

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
ARGV_LIMIT = 64 * 1024  # bytes of a command line that are kept


@dataclass(frozen=True, slots=True)
class Described:
    """A process as far as /proc could still tell; empty fields where it could not. `argv_cut`: there was more of it."""

    exe: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""
    uid: int = -1
    parent: int = 0
    argv_cut: bool = False


def describe(pid: int) -> Described:
    """Read everything of one process; never its environment."""
    folder = PROC / str(pid)
    status = _status_or_nothing(pid)
    uid, parent = status.get("Uid", "-1").split()[0], status.get("PPid", "0")
    arguments, is_cut = argv(pid)
    return Described(_link(folder / "exe"), arguments, _link(folder / "cwd"), int(uid), int(parent), is_cut)


def argv(pid: int) -> tuple[tuple[str, ...], bool]:
    """Its command line, and whether it was cut at the limit; () for a kernel thread, a zombie or a process that is gone."""
    try:
        with (PROC / str(pid) / "cmdline").open("rb") as file:
            line = file.read(ARGV_LIMIT + 1)
    except OSError:
        return (), False
    kept = line[:ARGV_LIMIT].removesuffix(b"\0")
    return tuple(part.decode(errors="backslashreplace") for part in kept.split(b"\0")) if line else (), len(line) > ARGV_LIMIT


def started_ns(pid: int) -> int | None:
    """When it started, in boot-time nanoseconds as exact as /proc is (a clock tick): proc_pid_stat(5) field 22."""
    try:
        return int(stat_of(pid)[19]) * TICK_NS
    except OSError:
        return None


def stat_of(number: int) -> list[str]:
    """What proc_pid_stat(5) says of a process or thread behind its name, whose bytes may be any: from field 3 on. OSError if it is gone."""
    return (PROC / str(number) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def status_of(number: int) -> dict[str, str]:
    """What proc_pid_status(5) says of a process or thread, whose name may be any bytes; OSError if it is gone."""
    lines = (PROC / str(number) / "status").read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def status_of_thread(tid: int) -> dict[str, str]:
    """The same, for those who deal with threads as ptrace(2) does: always ProcessLookupError if it is gone."""
    try:
        return status_of(tid)
    except FileNotFoundError:
        raise ProcessLookupError(errno.ESRCH, f"thread {tid} is gone") from None


def tracer_of(tid: int) -> int:
    """The thread that traces this one; 0: none. ProcessLookupError if it is gone."""
    return int(status_of_thread(tid)["TracerPid"])


def members(cgroup: Path) -> frozenset[int]:
    """The processes in a cgroup and all below."""
    files = [cgroup / "cgroup.procs", *cgroup.glob("**/cgroup.procs")]
    return frozenset(pid for file in files for pid in _pids(file))


def cgroup_of(pid: int, top: Path) -> Path | None:
    """The cgroup below `top` that a process is in; None where it is not found. Its path in /proc is no help in a cgroup namespace."""
    return next((file.parent for file in (top / "cgroup.procs", *top.glob("**/cgroup.procs")) if pid in _pids(file)), None)


def hierarchy() -> Path:
    """Where the unified hierarchy of cgroups is mounted. OSError where it is not."""
    mounts = (line.split() for line in (PROC / "self/mounts").read_text().splitlines())
    found = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), "")
    if not found:
        raise OSError("no cgroup v2 hierarchy is mounted")
    return Path(found)


def boot_id() -> str:
    """Of the running kernel."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def now_ns() -> int:
    """Boot-time nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _pids(file: Path) -> list[int]:
    try:
        return [int(line) for line in file.read_text().split()]
    except OSError:  # the group is gone, or a threaded one
        return []


def _status_or_nothing(pid: int) -> dict[str, str]:
    try:
        return status_of(pid)
    except OSError:
        return {}


def _link(path: Path) -> str:
    try:
        return str(path.readlink()).removesuffix(" (deleted)")
    except OSError:
        return ""
