"""Which file a process really runs: the kernel tells the name that was executed, a link or a script perhaps."""

import os
from dataclasses import replace
from pathlib import Path

from chaperone.agent.trace.values import ProcessExec


def resolved(seen: ProcessExec) -> ProcessExec:
    """`seen` with the file behind /proc/PID/exe, if the process still is this program; else as it was executed."""
    try:
        exe = str(Path(f"/proc/{seen.pid}/exe").readlink())
        arguments = Path(f"/proc/{seen.pid}/cmdline").read_bytes()
    except OSError:
        return seen
    return replace(seen, exe=exe) if _begins_with(arguments, seen.argv) else seen


def _begins_with(arguments: bytes, argv: tuple[str, ...]) -> bool:
    """Asked after reading exe: a program executed in between has other arguments. argv may have been cut."""
    return arguments.startswith(b"\0".join(map(os.fsencode, argv)))
