"""Reach the collector that holds a store: through its socket, or by starting one that ends when it is idle.

One process at a time may have a store open; it serves a socket there. Nobody there: we start one with our own rights.
Two that start at once: one gets the lock, the other ends, and both callers use the one. One that is just ending: try again.
"""

import os
import select
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chaperone.collector.cli.failed import CommandError
from chaperone.collector.store.directory import SOCKET

IDLE_S = 10  # how long a collector that we start stays after its last caller: the next command need not start one
FIRST_S = 30  # an agent has its programs to compile before it calls, on a machine that may be busy
REACH_S = 20.0
PAUSE_S = 0.1
MODULE = "chaperone.collector"
RECORD = "record with: chaperone run -- kubectl get pods"


def reach(store: Path, create: bool = False, options: Sequence[str] = ()) -> None:
    """Return when a collector answers at the store's socket. CommandError with the reason and the next step otherwise.

    `options`: for a collector that we start.
    """
    _usable(store, create)
    if create:
        options = ("--first-client", str(FIRST_S), *options)
    deadline, failures, in_vain = time.monotonic() + REACH_S, 0, 0
    while not is_answering(store):
        reason = _start(store, deadline, options)
        if not reason or is_answering(store):
            continue
        failures += 1
        held = _holders(store)
        in_vain = 0 if held else in_vain + 1
        if in_vain > 1:  # nobody is in the way, and it failed again: waiting won't help
            raise CommandError(reason, f"chaperone collector --store {shlex.quote(str(store))} shows more")
        is_hopeless = failures > 1 and bool(held) and not any(map(_is_collector, held))  # only a collector will answer sooner or later
        if is_hopeless or time.monotonic() > deadline:
            raise CommandError(f"no collector answers for the store {store}: {reason}", _step(held))
        time.sleep(PAUSE_S)


def is_answering(store: Path) -> bool:
    """Does anybody answer at the store's socket? CommandError if we are not allowed to ask.

    A server of HTTP/2 speaks first. One that was killed accepts, too, until the kernel has taken it down, and then says nothing.
    """
    try:
        directory = os.open(store, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(f"/proc/self/fd/{directory}/{SOCKET}")  # a socket address holds 108 bytes, a path may be longer
            return bool(probe.recv(1))
    except TimeoutError:
        return True  # it is there, and busy
    except PermissionError:
        raise _forbidden(store) from None
    except OSError:
        return False
    finally:
        os.close(directory)


def _usable(store: Path, create: bool) -> None:
    """Reading commands make no store."""
    try:
        found = list(store.iterdir())
    except FileNotFoundError:
        if not create:
            raise CommandError(f"nothing is recorded yet in {store}", RECORD) from None
        return
    except NotADirectoryError:
        raise CommandError(f"the store {store} is no directory", "name another with --store") from None
    except PermissionError:
        raise _forbidden(store) from None
    if not found and not create:
        raise CommandError(f"nothing is recorded yet in {store}", RECORD)


def _forbidden(store: Path) -> CommandError:
    return CommandError(f"you may not read the store {store}", "run this as its owner, for example with sudo, or name another with --store")


def _start(store: Path, deadline: float, options: Sequence[str]) -> str:
    """Start a collector and wait until it is ready: "", or why it is not. It outlives us, without our terminal."""
    ready, told = os.pipe()
    arguments = ["--store", str(store), "--exit-when-idle", str(IDLE_S), "--ready-fd", str(told), *options]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", MODULE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd="/",
            pass_fds=(told,),
            start_new_session=True,
        )
        os.close(told)
        line = _line(ready, deadline)
        os.close(ready)
        if line:
            return ""
        process.kill()  # it has failed or hangs; the lock goes with it
        process.wait()
        return _last_words(said.fileno()) or "the collector that was started did not get ready"


def _line(descriptor: int, deadline: float) -> bytes:
    """One line, b"" if the other end closed first or it took too long."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    line = b""
    while not line.endswith(b"\n"):
        readable = waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)  # select would take no descriptor over 1023
        part = os.read(descriptor, 65536) if readable else b""
        if not part:
            return b""
        line += part
    return line


def _last_words(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    lines = os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("chaperone collector: ") if lines else ""


def _holders(store: Path) -> list[str]:
    """The ids of the processes that have files of the store open, as far as we may see."""
    return sorted(pid.name for pid in Path("/proc").iterdir() if pid.name.isdigit() and _holds(pid, store))


def _is_collector(pid: str) -> bool:
    try:
        return MODULE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False  # it ended


def _step(held: list[str]) -> str:
    if not held:
        return "try again; if it stays so, look for a collector with: ps -ef | grep chaperone"
    return f"process {', '.join(held)} has it open; end it, then try again"


def _holds(process: Path, store: Path) -> bool:
    try:
        return any(store in entry.readlink().parents for entry in (process / "fd").iterdir())
    except OSError:
        return False  # it ended, or belongs to somebody else
