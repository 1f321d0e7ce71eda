"""`chaperone rules`: check policies, try them on the past, list them and the words they are written in."""

import secrets
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, Whom, ask, whom
from chaperone.collector.cli.brought import inexact, remarks, tried
from chaperone.collector.cli.calls import one_call
from chaperone.collector.cli.decoded import decoded
from chaperone.collector.cli.explain import explained_by, explanation
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.options import FormOption, SinceOption, instant
from chaperone.collector.cli.output import Form, document, documents, is_coloured, say
from chaperone.collector.cli.past import recorded
from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import table
from chaperone.collector.ingest.captures import CaptureError
from chaperone.collector.ingest.policies import read_policies
from chaperone.collector.mask.masker import Masker
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.document import Policy, Rule
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.event import Event, call_events, egress_event, in_order, leak_event, piece_event
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.ruleset import Rules, arranged, concerning, ruleset
from chaperone.collector.rules.verdict import Verdict
from chaperone.collector.rules.words import WORDS

app = typer.Typer(no_args_is_help=True, help="Rules: what calls are judged by.", rich_markup_mode=None)
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", readable=False, help="Policy files, directories of them, or default: the pack that comes with Chaperone"
    ),
]
STEP = "chaperone rules words lists the words of rules"


@app.command(epilog="Example: chaperone rules check policy.yaml")
def check(files: Files) -> None:
    """Check policy files: nothing is said but how many rules they have."""
    for file in files:
        rules = loaded([file])
        typer.echo(f"{file}: {len(rules)} rule{'' if len(rules) == 1 else 's'}")


@app.command(epilog="Examples: chaperone rules history --since 24h | chaperone rules history --policy agents -o json")
def history(
    since: SinceOption = None,
    policy: Annotated[str | None, typer.Option(help="Of this policy")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the newest")] = 100,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """Show who changed which policies, and how: files and objects of the API, those that were refused too."""
    given = {"since": since and instant(since), "policy": policy, "limit": limit}
    found = list(ask(whom(store), "policies.history", **given))
    if output is not Form.TABLE:
        return documents(found, output)
    if not found:
        return typer.echo("No changes found.", err=True)
    return say(escape(line) for change in found for line in changed(change))


def changed(change: dict[str, Any]) -> Iterator[str]:
    """A change: its head, then its lines."""
    names = f" ({', '.join(change['policies'])})" if change["policies"] else ""
    yield f"{change['time'][:19]}Z {change['what']} {change['source']}{names} by {change['author']}"
    yield from (f"    {line}" for line in [*change["difference"][2:], *filter(None, [change["problem"]])])


@app.command("list", epilog="Example: chaperone rules list default")
def list_(files: Files) -> None:
    """List the rules of policy files."""
    columns = ["RULE", "POLICY", "AT", "DO", "ENFORCE", "SEVERITY", "MITRE"]
    say(table(columns, [_row(rule) for rule in loaded(files)], is_coloured()))


@app.command()
def words() -> None:
    """List the words of conditions and messages."""
    rows = [[name, word.type, word.moment.name.lower(), word.doc] for name, word in WORDS.items()]
    say(table(["WORD", "TYPE", "KNOWN AT", "MEANING"], rows, is_coloured()))


@app.command(epilog="Example: chaperone rules test policy.yaml --session latest | chaperone rules test default --capture a.jsonl.gz")
def test(
    files: Files,
    capture: Annotated[list[Path] | None, typer.Option("--capture", readable=False, help="A capture file; may be repeated")] = None,
    session: Annotated[list[str] | None, typer.Option(help='A recorded session: the beginning of its id, or "latest"')] = None,
    since: SinceOption = None,
    store: StoreOption = None,
) -> None:
    """Say what rules would have said of the past."""
    if not capture and not session and not since:
        raise typer.BadParameter("name the past: --session ID, --since DURATION or --capture FILE")
    policies = loaded_policies(files)
    for path in capture or ():
        say(lines(path.name, judged(arranged(policies), capture_events(path))))
    for id_ in [*(session or ()), *(sessions_since(whom(store), since) if since else ())]:
        past = recorded(whom(store), id_.lower())
        name, rules = f"session {short(past.session['id'])}", tried(policies, past.session)
        say(escape(f"{name}: {remark}") for remark in remarks(rules, past.session))
        say(lines(name, judged(concerning(rules, past.session), past.events())))


@app.command(epilog="Example: chaperone rules explain 3f2a9c")
def explain(
    call: Annotated[str, typer.Argument(metavar="CALL", help="The beginning of a call's id")],
    policy: Annotated[list[Path] | None, typer.Option(readable=False, help="Explain by these files [default: the collector's]")] = None,
    store: StoreOption = None,
) -> None:
    """Say of every rule whether it matched a call, or why not, and how seriously it is taken."""
    place = whom(store)
    found = one_call(list(ask(place, "calls.list", id=call.lower(), limit=100)), call)
    past = recorded(place, found["session"])
    rules = explained_by(policy, place, past.session)
    say(escape(remark) for remark in inexact(past.session))
    say(explanation(rules, past.events(), found))


@app.command()
def status(output: FormOption = Form.TABLE, store: StoreOption = None) -> None:
    """Say which rules the collector judges by, and why a changed file is not used."""
    [found] = ask(whom(store), "rules.status")
    if output is not Form.TABLE:
        return document(found, output)
    facts = [f"{name.capitalize() + ':':<10} {escape(str(value))}" for name, value in found.items() if name not in ("files", "problem")]
    say([f"{'Files:':<10} {escape(', '.join(found['files']) or 'none')}", *facts])
    return say([f"{'Problem:':<10} {escape(found['problem'])}; the rules stay as they were"] if found["problem"] else [])


def sessions_since(place: Whom, since: int) -> list[str]:
    """The ids of the sessions that began since, oldest first."""
    return [row["id"] for row in ask(place, "sessions.list", since=instant(since), limit=100_000)]


def loaded(files: list[Path]) -> tuple[Rule, ...]:
    """The rules of files; CommandError with file, line and key."""
    return arranged(loaded_policies(files)).all


def loaded_policies(files: list[Path]) -> tuple[Policy, ...]:
    """The policies of files; CommandError with file, line and key."""
    try:
        return read_policies(files)
    except PolicyError as error:
        raise CommandError(escape(str(error)), STEP) from None


def capture_events(path: Path) -> list[Event]:
    """What happened in a capture, in order."""
    try:
        found = decoded(path, partial(Masker, secrets.token_bytes(32)))
    except (CaptureError, OSError) as error:
        reason = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise CommandError(reason, "name a capture file") from None
    session: dict[str, Any] = {}
    events = [event for call in found.calls for event in call_events(call, session)]
    events += [piece_event(piece, call, session) for call in found.calls for piece in found.pieces_of(call)]
    events += [egress_event(document, session) for kind, document in found.others if kind == "exchange"]
    events += [leak_event(document, session) for kind, document in found.others if kind == "leak"]
    return in_order(events)


def judged(rules: Iterable[Rule], events: Iterable[Event]) -> list[Verdict]:
    """All verdicts on these events, in order."""
    memory, asked = Memory(), rules if isinstance(rules, Rules) else ruleset(rules)
    found: list[Verdict] = []
    for event in events:
        verdicts, memory = evaluate(asked.likely(event), memory, event)
        found += verdicts
    return found


def lines(name: str, verdicts: list[Verdict]) -> list[str]:
    """One line for each verdict."""
    if not verdicts:
        return [f"{name}: no rule matches"]
    return [escape(f"{name}: {_would(verdict)}") for verdict in verdicts]


def _would(verdict: Verdict) -> str:
    unknown = f" (unknown: {', '.join(verdict.evidence.unknown)})" if verdict.evidence.unknown else ""
    place = f"{verdict.evidence.time[11:23]} {verdict.evidence.subject[:8]}"
    return f"{place} {verdict.action} by {verdict.rule} [{verdict.severity}, {verdict.enforce}]: {verdict.message}{unknown}"


def _row(rule: Rule) -> list[str]:
    moment = rule.moment.name.lower()
    return [rule.name, rule.policy, moment, str(rule.do), str(rule.enforce), str(rule.severity), " ".join(rule.mitre)]
