"""`chaperone approvals`: requests that wait for people, and their word about them."""

from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, Whom, ask, directory, whom
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.listing import Listing, Way, listed, only
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form, document, say
from chaperone.collector.cli.show.approval import COLUMNS, approval_lines, row
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.word import said
from chaperone.collector.enforce.approvals.state import State

app = typer.Typer(no_args_is_help=True, help="Requests that wait for people, and their word about them.", rich_markup_mode=None)
Document = dict[str, Any]
LISTING = Listing("approvals.list", "approvals", tuple(COLUMNS), (8, 5, 8, 5, 8, 16, 24, 24), row)
NEXT = "chaperone approvals list shows them"


def known(incomplete: str) -> list[str]:
    """For the shell's completion: what waits in the usual store, while its collector runs."""
    try:
        found = list(ask(directory(None), "approvals.list", state=str(State.PENDING)))
    except CommandError:
        return []
    return [approval["id"][:12] for approval in found if approval["id"].startswith(incomplete.lower())]


Id = Annotated[str, typer.Argument(metavar="ID", help="The beginning of an approval's id", autocompletion=known)]
Reason = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why: it is recorded, and told to who asked")]


@app.command("list", epilog="Examples: chaperone approvals list --state pending | chaperone approvals list -o jsonl -f")
def list_(
    state: Annotated[State | None, typer.Option(help="Only those that are so now")] = None,
    session: Annotated[str | None, typer.Option(help="Of one session: the beginning of its id")] = None,
    since: SinceOption = None,
    rule: Annotated[str | None, typer.Option(help="That this rule asks for")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more come, or change")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the newest")] = 1000,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """List approvals, the newest last."""
    given: Document = {"state": state and str(state), "session": session and session.lower(), "since": since and instant(since)}
    listed(LISTING, whom(store), given | {"rule": rule, "limit": limit}, Way(output, follow))


@app.command(epilog="Example: chaperone approvals show 3f2a9c")
def show(approval: Id, output: FormOption = Form.TABLE, store: StoreOption = None) -> None:
    """Show one: the request and what it would change, whose word it wants, and what was said."""
    found = only(LISTING, whom(store), approval)
    if output is Form.TABLE:
        say(approval_lines(found))
    else:
        document(found, output)


@app.command(epilog="Example: chaperone approvals approve 3f2a9c --reason 'planned in CHG-1042'")
def approve(approval: Id, reason: Reason, output: FormOption = Form.TABLE, store: StoreOption = None) -> None:
    """Let the request pass, once. Only who is one of the rule's approvers, and neither makes the request nor runs inside it."""
    _decide(whom(store), {"approval": approval.lower(), "approve": True, "why": reason}, output)


@app.command(epilog="Example: chaperone approvals deny 3f2a9c --reason 'ask again on Monday'")
def deny(approval: Id, reason: Reason, output: FormOption = Form.TABLE, store: StoreOption = None) -> None:
    """Refuse the request, also one that was approved and is not used yet."""
    _decide(whom(store), {"approval": approval.lower(), "approve": False, "why": reason}, output)


def _decide(place: Whom, word: Document, output: Form) -> None:
    found = said(place, "approvals.decide", word, NEXT)
    if output is not Form.TABLE:
        document(found, output)
    elif found["state"] == State.PENDING:
        typer.echo(f"approval {found['id'][:12]} has your word; it wants more people's")
    else:
        typer.echo(f"approval {found['id'][:12]} {escape(found['state'])}")
