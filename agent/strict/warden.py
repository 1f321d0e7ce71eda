"""The process that lets frozen cgroups go when the agent is gone: `python -m chaperone.agent.strict.warden`.

On stdin, each closed by a 0: + and a cgroup that is about to be frozen, - and one that is no more. At its end all others are let go.
"""

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from chaperone.agent.strict.freezer import thaw


def main() -> None:
    """Until the agent hangs up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it is the agent that ends us
    for cgroup in left(sys.stdin.buffer.read().split(b"\0")):
        thaw(cgroup)


def left(told: Iterable[bytes]) -> list[Path]:
    """The cgroups that may be frozen still."""
    frozen: dict[bytes, None] = {}
    for line in told:
        if line[:1] == b"+":
            frozen[line[1:]] = None
        elif line[:1] == b"-":
            frozen.pop(line[1:], None)
    return [Path(os.fsdecode(path)) for path in frozen]


if __name__ == "__main__":
    main()
