"""`chaperone doctor`: what recording needs on this machine, what of it is missing, and the command that fixes it.

The agent looks at the kernel's side (in its own process, with its own modules); the store's directory is tried here.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chaperone.collector.cli.ask import StoreOption, directory
from chaperone.collector.cli.launch.agent import AGENT
from chaperone.collector.cli.output import is_coloured, say
from chaperone.collector.cli.show.table import Cell, table

CHECK_S = 60.0


class Form(StrEnum):
    """What `-o` takes here."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that recording needs; `fix`: the command or step that provides it. `limited`: it records without, but not all works."""

    ok: bool
    what: str
    fix: str = ""
    limited: bool = False


def doctor(
    store: StoreOption = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="How to print it")] = Form.TABLE,
) -> None:
    """Say whether this machine can record, what is missing and how to get it."""
    needs = [*agent_needs(), *store_needs(directory(store))]
    if output is Form.JSON:
        typer.echo(json.dumps([asdict(need) for need in needs], indent=2))
    else:
        say(table(("", "NEEDED", "FIX"), (_row(need) for need in needs), is_coloured()))
    raise typer.Exit(0 if all(need.ok for need in needs) else 1)


def agent_needs() -> Iterator[Need]:
    """What the agent says about kernel, rights and bcc, having loaded its probes if nothing else is missing."""
    try:
        done = subprocess.run([*AGENT, "--check", "-o", "json"], capture_output=True, timeout=CHECK_S, check=False, cwd="/")
        problems = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        yield Need(False, f"the agent could not check this machine ({type(error).__name__})", "chaperone agent --check says why")
        return
    for problem in problems:
        is_limit = bool(problem.get("is_limit"))
        yield Need(is_limit, problem["what"], problem["fix"], is_limit)
    if all(problem.get("is_limit") for problem in problems):
        yield Need(True, "kernel, rights, bcc and cgroup2: the probes load")


def store_needs(place: Path) -> Iterator[Need]:
    """Whether the store's directory, or the nearest one that exists, takes a file."""
    folder = next(path for path in (place, *place.parents) if path.exists())
    what = f"the store {place} can be written"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, 1 << 20)
    except OSError as error:
        yield Need(False, f"{what}: {error.strerror}", "use sudo, free some space, or name another directory with --store")
        return
    yield Need(True, what)


def _row(need: Need) -> tuple[Cell, str, str]:
    state = Cell("limited", "doubtful") if need.limited else Cell("ok", "good") if need.ok else Cell("missing", "bad")
    return state, need.what, need.fix
