"""`chaperone alerts`: what rules found, who was told of it, and that somebody has seen it."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, ask, whom
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.listing import Listing, Way, as_stored, listed, only
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form, document, documents, say
from chaperone.collector.cli.show.alert import COLUMNS, alert_lines, of_collector, row
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.enforce.alerting import read_alerting
from chaperone.collector.enforce.send import tried
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.verdict import Severity

app = typer.Typer(no_args_is_help=True, help="What rules found, and who was told.", rich_markup_mode=None)
Document = dict[str, Any]
LISTING = Listing("alerts.list", "alerts", tuple(COLUMNS), (8, 5, 8, 7, 24, 6, 24, 40, 8), row)
EXAMPLES = "Examples: chaperone alerts list --since 1h --severity high | chaperone alerts list -o jsonl -f"
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="The beginnings of alerts' ids")]


@app.command("list", epilog=EXAMPLES)
def list_(
    session: Annotated[str | None, typer.Option(help="Of one session: the beginning of its id")] = None,
    since: SinceOption = None,
    severity: Annotated[Severity | None, typer.Option(help="At least so bad")] = None,
    rule: Annotated[str | None, typer.Option(help="Of this rule")] = None,
    policy: Annotated[str | None, typer.Option(help="Of this policy")] = None,
    unacked: Annotated[bool, typer.Option("--unacked", help="Only those that nobody has acknowledged")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more come")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the newest")] = 1000,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """List alerts, the newest last. Alike ones are one line with a count."""
    given: Document = {"session": session and session.lower(), "since": since and instant(since), "severity": severity, "rule": rule}
    listed(LISTING, whom(store), given | {"policy": policy, "unacked": unacked or None, "limit": limit}, Way(output, follow))


@app.command(epilog="Example: chaperone alerts show 3f2a9c")
def show(
    alert: Annotated[str, typer.Argument(metavar="ID", help="The beginning of an alert's id")],
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """Show one alert: what was done and by whom, the evidence, who was told, and how to replay it."""
    found = only(LISTING, whom(store), alert)
    if output is Form.TABLE:
        say(alert_lines(found))
    else:
        document(found, output)


@app.command(epilog="Examples: chaperone alerts ack 3f2a9c | chaperone alerts ack --all")
def ack(
    alerts: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="Every alert there is")] = False,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """Acknowledge alerts: no more like them are told until they were quiet for a while."""
    if bool(alerts) is everything:
        raise typer.BadParameter("name alerts, or say --all")
    given: Document = {"all": True} if everything else {"ids": [id_.lower() for id_ in alerts or ()]}
    found = list(ask(whom(store), "alerts.ack", **given))
    if output is not Form.TABLE:
        return documents(map(as_stored, found), output)
    return typer.echo(f"{len(found)} alert{'' if len(found) == 1 else 's'} acknowledged")


@app.command(epilog="Examples: chaperone alerts test --alerts alerts.yaml | chaperone alerts test --receiver oncall")
def test(
    receiver: Annotated[str | None, typer.Option(metavar="NAME", help="Only this receiver")] = None,
    alerts: Annotated[Path | None, typer.Option(readable=False, help="Send from here by this file, without a store")] = None,
    store: StoreOption = None,
) -> None:
    """Send a test message and say what came of it."""
    given = {} if receiver is None else {"receiver": receiver}
    found = _sent(alerts, receiver) if alerts else list(ask(whom(store), "alerts.test", **given))
    say(escape(f"{one['receiver']}: {'sent' if one['sent'] else 'NOT sent'}{of_collector(one)}: {one['why']}") for one in found)
    if not all(one["sent"] for one in found):
        raise typer.Exit(1)


def _sent(file: Path, receiver: str | None) -> list[Document]:
    try:
        found = asyncio.run(tried(read_alerting(file), receiver))
    except PolicyError as error:
        raise CommandError(escape(str(error)), "docs/alerts.md says what such a file has") from None
    except ValueError as error:
        raise CommandError(str(error), "name one of them with --receiver") from None
    return [{"receiver": one.receiver, "sent": one.outcome.fate == "sent", "why": one.outcome.why} for one in found]
