"""`python -m chaperone.agent.glass`: set this node to record, for a while, or end that. Works with no agent and no collector.

The last line on stdout says what is so now, as JSON. Agents see the file within a second; second locks are opened here, as their
agents may be dead.
"""

import argparse
import json
import os
import platform
import pwd
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from chaperone.agent.hold.opening import open_all
from chaperone.agent.workload.processes import boot_id, hierarchy, now_ns
from chaperone.proto import glass
from chaperone.proto.glass import SECOND, Glass, GlassError

NOBODY = 2**32 - 1  # loginuid of a process that nobody logged in for


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if it is so now; 1 with a sentence on stderr, else."""
    options = _parser().parse_args(arguments)
    try:
        if os.geteuid():
            raise GlassError("only root breaks the glass of a node")
        broken = None if options.end else made(options.time, options.reason, options.who or person())
        count = carried_out(broken, glass.place(), options.cgroup)
    except (GlassError, OSError) as error:
        sys.stderr.write(f"chaperone break-glass: {error}\n")
        return 1
    print(json.dumps(said(broken, count)))  # noqa: T201
    return 0


def made(time: str, reason: str, who: str) -> Glass:
    """From now on. GlassError."""
    now = now_ns()
    return Glass(secrets.token_hex(8), boot_id(), now, now + glass.seconds(time) * SECOND, who[: glass.TEXT], glass.reason(reason))


def carried_out(broken: Glass | None, file: Path, cgroups: Sequence[Path]) -> int:
    """How many locks were opened, or closed. OSError."""
    glass.write(file, broken) if broken else glass.remove(file)
    return open_all(cgroups or (hierarchy(),), broken.until if broken else 0)


def person() -> str:
    """Who does this: root, and who logged in to become root, where the machine knows it."""
    try:
        login = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        login = NOBODY
    name = os.environ.get("SUDO_USER", "") if login == NOBODY else _name(login)
    return f"unix:root at {platform.node()}" + (f" (logged in as {name})" if name else "")


def said(broken: Glass | None, locks: int) -> dict[str, object]:
    """What is so now."""
    left_s = round((broken.until - now_ns()) / SECOND) if broken else 0
    return {"broken": broken.id if broken else "", "left_s": left_s, "who": broken.who if broken else "", "locks": locks}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m chaperone.agent.glass", description="Set this node to record for a while.")
    add = parser.add_argument
    add("--for", dest="time", default="15m", metavar="TIME", help="so long, up to 24h [default: 15m]")
    add("--reason", default="", metavar="TEXT", help="why: it is recorded")
    add("--who", default="", metavar="NAME", help="who wants it [default: as the machine knows it]")
    add("--end", action="store_true", help="end it before its time")
    add("--cgroup", type=Path, action="append", default=[], help="look for second locks below [default: everywhere]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
