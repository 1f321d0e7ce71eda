"""`chaperone sessions`: what was recorded."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, ask, whom
from chaperone.collector.cli.listing import Document, Listing, Way, listed
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form, document, documents, is_coloured, say
from chaperone.collector.cli.show import activity
from chaperone.collector.cli.show.activity import By
from chaperone.collector.cli.show.body import amount
from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.details import place, session_facts
from chaperone.collector.cli.show.table import Cell, table
from chaperone.collector.cli.show.times import UNITS, age
from chaperone.collector.rules.event import command_line
from chaperone.collector.times import time_ns

app = typer.Typer(no_args_is_help=True, help="What was recorded: one session a workload, one a run.", rich_markup_mode=None)
COLUMNS = ("ID", "AGE", "COMMAND", "USER", "CALLS", "BYTES", "STATE")
DAY = UNITS["d"]
PROCESS_COLUMNS = ("PID", "PROGRAM", "COMMAND")


@app.command("list", epilog="Examples: chaperone sessions list --since 1h -o json | chaperone sessions list -n agents --pod coder")
def list_(
    since: SinceOption = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Of pods in this namespace")] = None,
    pod: Annotated[str | None, typer.Option("--pod", help="Of pods with this name")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest")] = 100,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """List sessions, the newest last."""
    given: Document = {"since": since and instant(since), "namespace": namespace, "pod": pod}
    listed(LISTING, whom(store), given | {"limit": limit}, Way(output))


@app.command(epilog="Example: chaperone sessions show latest")
def show(
    session: Annotated[str, typer.Argument(metavar="ID", help='The beginning of a session\'s id, or "latest"')] = "latest",
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """Show one session: its command, its processes, whether anything is missing."""
    found = next(ask(whom(store), "sessions.show", session=session.lower()))
    if output is not Form.TABLE:
        return document(found, output)
    say(session_facts(found))
    _processes(found.get("processes", []))
    return typer.echo(f"\nIts calls: chaperone calls list --session {short(found['id'])}{_store_option(store)}")


@app.command(epilog="Examples: chaperone sessions summary | chaperone sessions summary --since 1h --by user -o json")
def summary(
    since: SinceOption = None,
    by: Annotated[By, typer.Option(help="One line for each of these")] = By.SESSION,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """What was done since a day ago (or --since): calls, writes, secrets read, exec, what was denied, alerts.

    WRITES, SECRETS and EXEC count calls that were not refused; DENIED those that were answered with 403.
    """
    found = activity.added_up(ask(whom(store), "sessions.activity", since=instant(since or DAY)), by)
    if output is not Form.TABLE:
        return documents(found, output)
    if not found:
        return typer.echo("No calls found.", err=True)
    return say(table(activity.headings(by), [activity.row(one, by) for one in found], is_coloured()))


def _row(session: Document, now: int) -> list[Cell | str]:
    bytes_ = session.get("bytes") or {"out": 0, "in": 0}
    return [
        short(session["id"]),
        age(now - time_ns(session["at"])) if session.get("time") else "",
        shlex.join(session.get("argv") or ()) or place(session) or session.get("workload", ""),
        session.get("user") or (session.get("lookedUp") or {}).get("serviceAccount", ""),
        str(session.get("calls", 0)),
        amount(bytes_["out"] + bytes_["in"]),
        _state(session),
    ]


def _state(session: dict[str, Any]) -> Cell:
    if session.get("complete"):
        return Cell("complete", "good")
    return Cell("incomplete", "bad") if session.get("ended") else Cell("open", "doubtful")


def _processes(processes: list[dict[str, Any]]) -> None:
    if processes:
        rows = [[str(process.get("pid", "")), process.get("exe", ""), command_line(process)] for process in processes]
        say(["", *table(PROCESS_COLUMNS, rows, is_coloured())])


def _store_option(store: Path | None) -> str:
    return f" --store {shlex.quote(str(store))}" if store else ""


LISTING = Listing("sessions.list", "sessions", COLUMNS, (), _row)
