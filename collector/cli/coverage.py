"""`chaperone coverage`: which containers are to be governed and are not, and which programs' TLS nobody reads."""

from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, ask, whom
from chaperone.collector.cli.options import FormOption
from chaperone.collector.cli.output import Form, documents, is_coloured, say
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import Cell, table

COLUMNS = ("NAMESPACE", "POD", "CONTAINER", "NODE", "WHY")
UNREAD = ("WORKLOAD", "PROGRAM", "TLS", "CONNECTIONS")


def coverage(
    check: Annotated[bool, typer.Option("--check", help="Status 1 if anything is not covered, or nobody knows")] = False,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """Say which selected containers nobody observes and why, and which programs' TLS nobody read in the last day."""
    (found,) = ask(whom(store), "coverage")
    if output is not Form.TABLE:
        documents([found], output)
    else:
        _show(found)
    if check and (found["unobserved"] or found["unread"] or found.get("missing") or found["problem"]):
        raise typer.Exit(1)


def _show(found: dict[str, Any]) -> None:
    if found["problem"]:
        typer.echo(f"Not known: {found['problem']}.")
    else:
        typer.echo(f"{found['observed']} of {found['selected']} selected containers are observed.")
    for sentence in found.get("missing", []):
        typer.echo(f"Missing: {escape(sentence)}")
    if found["unobserved"]:
        rows = [
            [one[name] for name in ("namespace", "pod", "container", "node")] + [Cell(one["why"], "bad")] for one in found["unobserved"]
        ]
        say(table(COLUMNS, rows, is_coloured()))
    if found["unread"]:
        typer.echo(f"{len(found['unread'])} programs spoke TLS that nobody reads, in the last day:")
        say(table(UNREAD, [[one["workload"], one["exe"], one["stack"], str(one["connections"])] for one in found["unread"]], is_coloured()))
