"""`chaperone accesses`: who asked a collector for recordings."""

import json
from typing import Annotated

import typer

from chaperone.collector.cli.ask import StoreOption, whom
from chaperone.collector.cli.listing import Document, Listing, Way, listed
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form
from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.table import Cell

app = typer.Typer(no_args_is_help=True, help="Who asked for recordings, and whether they got them.", rich_markup_mode=None)
COLUMNS = ("TIME", "USER", "BY", "ASKED", "SESSION", "PARAMETERS", "ANSWER")


@app.command("list", epilog="Examples: chaperone accesses list --since 24h | chaperone accesses list --user alice -o jsonl")
def list_(
    since: SinceOption = None,
    session: Annotated[str | None, typer.Option(help="For this session: the beginning of its id")] = None,
    user: Annotated[str | None, typer.Option(help="By this user")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest")] = 1000,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """List accesses over the network, the newest last. Whoever may open the store's own socket leaves none."""
    given: Document = {"since": since and instant(since), "session": session and session.lower(), "user": user}
    listed(LISTING, whom(store), given | {"limit": limit}, Way(output))


def _row(access: Document, _now: int) -> list[Cell | str]:
    parameters = {name: value for name, value in access["parameters"].items() if name != "session"}
    answer = Cell("given", "good") if access["allowed"] else Cell("denied", "bad")
    asked, said = access["question"], json.dumps(parameters) if parameters else ""
    return [access["time"][:19] + "Z", access["user"], access["means"], asked, short(access["session"]), said, answer]


LISTING = Listing("accesses.list", "accesses", COLUMNS, (), _row)
