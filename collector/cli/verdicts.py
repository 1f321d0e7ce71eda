"""`chaperone verdicts`: what rules said while it was recorded."""

import time
from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, Whom, ask, whom
from chaperone.collector.cli.calls import as_stored
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form, documents, is_coloured, say
from chaperone.collector.cli.show.table import table
from chaperone.collector.cli.show.verdict import COLUMNS, row

app = typer.Typer(no_args_is_help=True, help="What rules said of what was recorded.", rich_markup_mode=None)
Document = dict[str, Any]
FOLLOW_S = 1.0
FOLLOW_WIDTHS = (8, 5, 8, 8, 26, 8, 40)


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
    if follow and output in (Form.JSON, Form.YAML):
        raise typer.BadParameter("--follow goes with -o table or -o jsonl")
    given = {"session": session and session.lower(), "since": since and instant(since), "rule": rule, "action": action}
    wanted: Document = {name: value for name, value in ({**given, "severity": severity, "limit": limit}).items() if value is not None}
    place = whom(store)
    found = list(ask(place, "verdicts.list", **wanted))
    _print(found, output)
    if follow:
        _follow(place, wanted, (found, output))


def _follow(store: Whom, wanted: Document, shown: tuple[list[Document], Form]) -> None:
    """Ask for what arrived since, until interrupted."""
    found, output = shown
    cursor = max((verdict["cursor"] for verdict in found), default=0)
    try:
        while True:
            time.sleep(FOLLOW_S)
            news = list(ask(store, "verdicts.list", **wanted, after=cursor))
            cursor = max((verdict["cursor"] for verdict in news), default=cursor)
            if output is Form.JSONL:
                documents(map(as_stored, news), Form.JSONL)
            elif news:
                say(_table(news, FOLLOW_WIDTHS)[1:])
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _print(found: list[Document], output: Form) -> None:
    if output is not Form.TABLE:
        documents(map(as_stored, found), output)
    elif found:
        say(_table(found, ()))
    else:
        typer.echo("No verdicts found.", err=True)


def _table(found: list[Document], widths: tuple[int, ...]) -> list[str]:
    now = time.time_ns()
    return list(table(list(COLUMNS), [row(verdict, now) for verdict in found], is_coloured(), widths))
