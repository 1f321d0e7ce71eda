"""`chaperone verdicts`: what rules said while it was recorded."""

from typing import Annotated

import typer

from chaperone.collector.cli.ask import StoreOption, whom
from chaperone.collector.cli.listing import Listing, Way, listed
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form
from chaperone.collector.cli.show.verdict import COLUMNS, row

app = typer.Typer(no_args_is_help=True, help="What rules said of what was recorded.", rich_markup_mode=None)
LISTING = Listing("verdicts.list", "verdicts", tuple(COLUMNS), (8, 5, 8, 8, 26, 8, 40), row)


@app.command("list", epilog="Examples: chaperone verdicts list --since 1h | chaperone verdicts list --session latest -o jsonl -f")
def list_(
    session: Annotated[str | None, typer.Option(help='Of one session: the beginning of its id, or "latest"')] = None,
    since: SinceOption = None,
    rule: Annotated[str | None, typer.Option(help="Of this rule")] = None,
    action: Annotated[str | None, typer.Option(help="alert, deny, approve, mask, kill or allow")] = None,
    severity: Annotated[str | None, typer.Option(help="info, low, medium, high or critical")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is recorded")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest")] = 1000,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """List verdicts, the newest last."""
    given = {"session": session and session.lower(), "since": since and instant(since), "rule": rule, "action": action}
    listed(LISTING, whom(store), {**given, "severity": severity, "limit": limit}, Way(output, follow))
