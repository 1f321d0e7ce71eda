"""`chaperone kill`: end a connection, a process or a session, on the record."""

from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, whom
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.options import FormOption
from chaperone.collector.cli.output import Form, document
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.word import said
from chaperone.collector.rules.verdict import Ends

app = typer.Typer(no_args_is_help=True, help="End something of a workload, on the record.", rich_markup_mode=None)
Reason = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why: it is recorded")]
Document = dict[str, Any]


@app.command(epilog="Example: chaperone kill connection 3f2a9c --reason 'exec into production'")
def connection(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The beginning of a connection's or stream's id")],
    reason: Reason,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """End one connection: both sides see it. chaperone connections list shows them."""
    _kill(Ends.CONNECTION, id_, reason, output, store)


@app.command(epilog="Example: chaperone kill process 3f2a9c --reason 'it scans secrets'")
def process(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The beginning of a process's id")],
    reason: Reason,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """End one process. chaperone sessions show -o json shows them."""
    _kill(Ends.PROCESS, id_, reason, output, store)


@app.command(epilog="Example: chaperone kill session 3f2a9c --reason 'taken over'")
def session(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The beginning of a session's id")],
    reason: Reason,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """End every process of a session's workload. Whoever keeps it running (a Deployment, a unit) may start it again."""
    _kill(Ends.SESSION, id_, reason, output, store)


def _kill(target: Ends, id_: str, reason: str, output: Form, store: Any) -> None:
    """Exit 1 unless the agent says that it has ended."""
    found = said(whom(store), "kill", {"kill": str(target), "id": id_, "why": reason}, "chaperone sessions list shows what goes on")
    if output is not Form.TABLE:
        document(found, output)
    elif found["stage"] == "ended":
        typer.echo(f"{target} {found['subject'][:12]} has ended")
    if found["stage"] != "ended":
        raise CommandError(escape(f"{target} {found['subject'][:12]} may go on: {found['result']}"), "is its agent connected? see status")
