"""`chaperone connections`: where a session's programs connected to, how much went there, and how much of it was captured."""

from typing import Annotated

import typer

from chaperone.collector.cli.ask import StoreOption, whom
from chaperone.collector.cli.listing import Document, Listing, Way, listed
from chaperone.collector.cli.options import FormOption
from chaperone.collector.cli.output import Form
from chaperone.collector.cli.show.body import amount
from chaperone.collector.cli.show.connection import coverage, name
from chaperone.collector.cli.show.table import Cell

app = typer.Typer(no_args_is_help=True, help="Where programs connected to, and how much of it was captured.", rich_markup_mode=None)
COLUMNS = ("PID", "PROGRAM", "REMOTE", "NAME", "PROTOCOL", "OUT", "IN", "COVERAGE")


@app.callback()
def _connections() -> None:
    """Keeps `list` a word of its own while it is the only command."""


@app.command("list", epilog="Example: chaperone connections list --session latest -o json")
def list_(
    session: Annotated[str, typer.Option(metavar="ID", help='The beginning of a session\'s id, or "latest"')] = "latest",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest")] = 1000,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """List a session's connections, the newest last."""
    listed(LISTING, whom(store), {"session": session.lower(), "limit": limit}, Way(output))


def _row(connection: Document, _now: int) -> list[Cell | str]:
    size = connection.get("bytes") or {"out": 0, "in": 0}
    return [
        str(connection.get("pid", "")),
        connection.get("exe", "").rpartition("/")[2],
        connection.get("remote", ""),
        name(connection),
        connection.get("tls") or connection.get("protocol", ""),
        amount(size["out"]),
        amount(size["in"]),
        coverage(connection),
    ]


LISTING = Listing("connections.list", "connections", COLUMNS, (), _row)
