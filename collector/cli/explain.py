"""`chaperone rules explain`: how each rule fared with one call, as far as the call has come."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from chaperone.collector.cli.ask import Whom, ask
from chaperone.collector.cli.brought import in_session
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.output import is_coloured
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import Cell, table
from chaperone.collector.ingest.policies import read_policies
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.document import Rule
from chaperone.collector.rules.evaluate import NOT_NOW, Finding, explain
from chaperone.collector.rules.event import CONNECTIONS, Event
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.ruleset import Rules, arranged
from chaperone.collector.rules.terms import Mode
from chaperone.collector.rules.verdict import Enforce

Document = dict[str, Any]
COLUMNS = ("RULE", "POLICY", "AT", "DO", "MODE", "RESULT")
STEP = "name the files: chaperone rules explain CALL --policy FILE"


def explained_by(files: list[Path] | None, store: Whom, session: Document) -> Rules:
    """The named files' rules, else the collector's; and those that the session brought."""
    try:
        named = files or [Path(path) for row in ask(store, "rules.status") for path in row["files"]]
        return in_session(arranged(read_policies(named)), session)
    except PolicyError as error:
        raise CommandError(escape(str(error)), STEP) from None


def explanation(rules: Rules, events: Iterable[Event], call: Document) -> Iterator[str]:
    """One line for each rule. Counts and what rules wait for come from all that went before."""
    memory, best = Memory(), dict[tuple[str, str], Finding]()
    for event in events:
        findings, memory = explain(rules.at(event), memory, event)
        if event.document["id"] == call["id"] and event.subject not in CONNECTIONS:
            for finding in findings:
                name = (finding.rule.policy, finding.rule.name)
                best[name] = max(best.get(name, finding), finding, key=_weight)
    rows = [_row(rule, best.get((rule.policy, rule.name)), call) for rule in rules]
    yield from table(COLUMNS, rows, is_coloured())


def effective_mode(rule: Rule) -> str:
    """How seriously a rule is taken, and why not more."""
    if rule.enforce is Enforce.ENFORCE and rule.mode is not Mode.ENFORCE:
        return f"{rule.effective}: its policy's mode is {rule.mode} here"
    return str(rule.effective) if rule.effective is Enforce.ENFORCE else f"{rule.effective}: the rule says so"


def _row(rule: Rule, finding: Finding | None, call: Document) -> list[Cell | str]:
    if finding is None:
        reason = f"not asked: it is judged at {rule.moment.name.lower()}, the call has come to {call['phase']}"
        result = Cell(reason if call["phase"] != "end" else "not asked: it speaks of something else", "faint")
    else:
        result = Cell(finding.why, "bad" if finding.verdict else "")
    return [rule.name, rule.policy, rule.moment.name.lower(), str(rule.do), effective_mode(rule), result]


def _weight(finding: Finding) -> tuple[bool, bool]:
    """A verdict counts most, then anything but having been asked at the wrong moment."""
    return finding.verdict is not None, finding.why != NOT_NOW
