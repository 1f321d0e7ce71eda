"""What the kernel told us, as values. No offsets here (layout.py), no sessions and no ids (agent/workload).

All times are CLOCK_BOOTTIME nanoseconds. A process is `(pid, started)`: its number in the agent's pid namespace and
`task_struct.start_boottime` of its first thread, the number that `/proc/PID/stat` field 22 shows rounded down to
clock ticks. A TLS object is `Tls`; its address alone is no name, since allocators hand the same one out again.
"""

from dataclasses import dataclass
from enum import IntEnum

from chaperone.agent.groups.values import GroupValue
from chaperone.agent.sockets.values import SocketValue
from chaperone.proto.records import Cause, Direction


@dataclass(frozen=True, slots=True)
class Tls:
    """One TLS object in one process image. `born`: time of its first event; `library`: "openssl", "gnutls" or "go".

    `workload`: what `Tracer.govern` returned for the governed cgroup. The others tell it apart from everything else
    that ever had this address, so the value itself is a key for dictionaries.
    """

    pid: int
    started: int
    handle: int
    born: int
    library: str
    workload: int
    image: int = 0


@dataclass(frozen=True, slots=True)
class TlsBytes:
    """Plaintext of one direction from one position. OUT: accepted by the call, stamped with its entry; IN: its return."""

    tls: Tls
    direction: Direction
    position: int
    data: bytes
    time: int


@dataclass(frozen=True, slots=True)
class TlsLost:
    """`size` bytes from `position` that went through the TLS object and that we do not have."""

    tls: Tls
    direction: Direction
    position: int
    size: int
    time: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class TlsClosed:
    """The TLS object was freed or closed, or its process ended or became another program. Positions: bytes in all."""

    tls: Tls
    time: int
    out_position: int
    in_position: int


@dataclass(frozen=True, slots=True)
class ProcessExec:
    """A process became another program. `exe`: its file as it was named; `argv_cut`: argv was longer than we copy
    (`layout.ARGV_LIMIT`); `cwd`: "" where it is nested deeper than we look."""

    pid: int
    started: int
    time: int
    workload: int
    exe: str
    argv: tuple[str, ...]
    argv_cut: bool
    uid: int
    parent_pid: int
    parent_started: int
    cwd: str = ""


@dataclass(frozen=True, slots=True)
class ProcessFork:
    """A process began as a copy of its parent. Threads are not reported."""

    pid: int
    started: int
    time: int
    workload: int
    uid: int
    parent_pid: int
    parent_started: int


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """The last thread of a process ended. `status`: as a shell shows it, 128 + n after signal n."""

    pid: int
    started: int
    time: int
    workload: int
    status: int


class Site(IntEnum):
    """Where a thread is held: bpf/hold_event.h's enum site."""

    WRITE = 1
    WRITE_RETURN = 2
    READ = 3
    OWED = 4


@dataclass(frozen=True, slots=True)
class TlsHeld:
    """A thread waits in a TLS call until it is let go. `size` bytes from `position` on, at `buffer` in the process's memory."""

    tls: Tls
    direction: Direction
    position: int
    size: int
    time: int
    tid: int
    site: Site
    buffer: int


Value = TlsBytes | TlsLost | TlsClosed | TlsHeld | ProcessExec | ProcessFork | ProcessExit | SocketValue | GroupValue


@dataclass(frozen=True, slots=True)
class Attached:
    """The probes are in the file: by device and inode, with the functions found, per library."""

    device: int
    inode: int
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotCovered:
    """No TLS in this file that we can read, and why: a sentence for the recording. `refused`: there is, and the kernel said no;
    `is_for_now`: it is to be looked into again when it is met."""

    reason: str
    refused: bool = False
    is_for_now: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """What the kernel side could not do since the start. All 0 in a whole recording.

    `chunks`: records that did not fit or could not be copied (each is also a TlsLost with its bytes);
    `events`: process and close records that did not fit; `streams`: calls on TLS objects beyond the map's limit;
    `calls`: returns whose entry was not seen (the call began before the probes were there);
    `connects`: of processes that were not looked into, of which nobody at the gate could be told;
    `packets`: of TCP connections beyond the map's limit, which are not looked at.
    """

    chunks: int = 0
    events: int = 0
    streams: int = 0
    calls: int = 0
    connects: int = 0
    packets: int = 0
