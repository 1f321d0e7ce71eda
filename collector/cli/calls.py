"""`chaperone calls`: Kubernetes calls, by session, time and what they were about."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, Whom, ask, whom
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.listing import Listing, Way, as_stored, listed
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form, document, say
from chaperone.collector.cli.show.call import COLUMNS, row
from chaperone.collector.cli.show.details import call_lines

app = typer.Typer(no_args_is_help=True, help="Kubernetes calls that were recorded.", rich_markup_mode=None)
Document = dict[str, Any]
LONGER = 16  # hex digits of ids that must be told apart
LISTING = Listing("calls.list", "calls", tuple(COLUMNS), (8, 5, 20, 8, 36, 12, 4, 7, 10), row)
EXAMPLES = "Examples: chaperone calls list --since 10m --verb get --resource secrets | chaperone calls list --session latest -o jsonl -f"


@app.command("list", epilog=EXAMPLES)
def list_(
    session: Annotated[str | None, typer.Option(help='Of one session: the beginning of its id, or "latest"')] = None,
    since: SinceOption = None,
    verb: Annotated[str | None, typer.Option(help="get, list, watch, create, …")] = None,
    resource: Annotated[str | None, typer.Option(help="secrets, pods, … or pods/exec")] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="In this namespace")] = None,
    name: Annotated[str | None, typer.Option(help="Of this object")] = None,
    code: Annotated[int | None, typer.Option(min=100, max=999, help="Answered with this HTTP status")] = None,
    user: Annotated[str | None, typer.Option(help="As this user")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is recorded")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest")] = 1000,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """List calls, the newest last."""
    kind, _, part = (resource or "").partition("/")
    given: Document = {"session": session and session.lower(), "since": since and instant(since), "verb": verb, "namespace": namespace}
    given |= {"resource": kind or None, "subresource": part or None, "name": name, "code": code, "user": user, "limit": limit}
    listed(LISTING, whom(store), given, Way(output, follow))


@app.command(epilog="Example: chaperone calls show 3f2a9c")
def show(
    call: Annotated[str, typer.Argument(metavar="ID", help="The beginning of a call's id")],
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """Show one call: headers, masked bodies, what its channels brought."""
    place = whom(store)
    found = one_call(list(ask(place, "calls.list", id=call.lower(), bodies=True, limit=100)), call)
    pieces = list(_pieces(place, found))
    verdicts = list(ask(place, "verdicts.list", call=found["id"]))
    if output is Form.TABLE:
        say(call_lines(found, pieces, verdicts))
    else:
        more = {"pieces": pieces, "verdicts": [as_stored(verdict) for verdict in verdicts]}
        document({**found, **{name: rows for name, rows in more.items() if rows}}, output)


def one_call(found: list[Document], wanted: str) -> Document:
    """The one call among rows of calls.list. CommandError when there is none or several."""
    ids = sorted({call["id"] for call in found})
    if not ids:
        raise CommandError(f"no call's id begins with {wanted!r}", "chaperone calls list shows what there is")
    if len(ids) > 1:
        raise CommandError(
            f"{len(ids)} calls' ids begin with {wanted!r}: {', '.join(id_[:LONGER] for id_ in ids[:5])}", "give more of the id"
        )
    return as_stored(found[-1])


def _pieces(store: Whom, call: Document) -> Iterator[Document]:
    """What a streaming call brought."""
    for moment in ask(store, "replay", session=call["session"], bodies=True):
        if moment["kind"] == "piece" and moment["document"]["call"] == call["id"]:
            yield moment["document"]
