"""An approval as a row of a table, and in full."""

import shlex
from collections.abc import Callable, Iterator
from typing import Any

from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import Cell
from chaperone.collector.cli.show.times import age
from chaperone.collector.times import time_ns

Document = dict[str, Any]
LABEL = 12
STYLES = {"pending": "doubtful", "approved": "good", "used": "good", "denied": "bad", "expired": "faint", "gone": "faint"}

COLUMNS: dict[str, Callable[[Document, int], Cell | str]] = {
    "ID": lambda found, now: short(found["id"]),
    "AGE": lambda found, now: age(now - time_ns(found["time"])),
    "STATE": lambda found, now: Cell(found["state"], STYLES.get(found["state"], "")),
    "LEFT": lambda found, now: left(found, now),
    "APPROVED": lambda found, now: progress(found),
    "RULE": lambda found, now: found["alert"]["rule"],
    "REQUESTER": lambda found, now: found["requester"],
    "REQUEST": lambda found, now: request(found),
}


def row(found: Document, now: int) -> list[Cell | str]:
    """The cells of COLUMNS; `now` is wall-clock ns."""
    return [make(found, now) for make in COLUMNS.values()]


def left(found: Document, now: int) -> str:
    """How long it can still be given, or used."""
    return age(time_ns(found["until"]) - now) if found["state"] in ("pending", "approved") else "-"


def progress(found: Document) -> str:
    """Of how many people it has approvals: of the rule that wants most."""
    given = len({vote["who"] for vote in found["votes"] if vote["approves"]})
    return f"{given}/{max(need['approvals'] for need in found['needs'])}"


def request(found: Document) -> str:
    """`create clusterroles/all`, and the command of an exec."""
    what, about = found["alert"]["what"], found["alert"].get("approval", {})
    named = "/".join(part for part in (what["resource"], what["name"], what["subresource"]) if part)
    does = f"{what['verb'] or what['method']} {named or what['uri']}" + (f" in {what['namespace']}" if what["namespace"] else "")
    return does + (f": {about['command']}" if about.get("command") else "")


def approval_lines(found: Document) -> Iterator[str]:
    """All of it, one fact a line."""
    for name, text in _facts(found).items():
        if text:
            yield f"{name + ':':<{LABEL}} {escape(text)}"
    yield from _section("Would change (masked):", found["alert"].get("approval", {}).get("diff", []))
    yield from _section("Evidence (masked):", [f"{item['word']} = {item['value']}" for item in found["alert"]["evidence"]])
    yield from _section("Said:", [_vote(vote) for vote in found["votes"]])
    yield from _section("History:", [_entry(entry) for entry in found["history"]])
    commands = [f"chaperone approvals {word} {short(found['id'])} --reason …" for word in ("approve", "deny")]
    yield from _section("Decide:", commands if found["state"] == "pending" else [])


def _section(heading: str, texts: list[str]) -> Iterator[str]:
    if texts:
        yield from ("", heading)
        yield from (f"  {escape(text)}" for text in texts)


def _facts(found: Document) -> dict[str, str]:
    alert, about = found["alert"], found["alert"].get("approval", {})
    who, what, process = alert["who"], alert["what"], alert["process"]
    needs = [f"{need['rule']} of {need['policy']} wants {need['approvals']} of {', '.join(need['approvers'])}" for need in found["needs"]]
    return {
        "Approval": found["id"],
        "State": f"{found['state']} until {found['until']}" if found["state"] in ("pending", "approved", "denied") else found["state"],
        "Asked": found["time"],
        "Needs": "; ".join(needs),
        "Message": alert["message"],
        "Request": f"{what['method']} {what['uri']} ({what['authority']})",
        "Does": request(found),
        "Shell": about.get("shell", ""),
        "Requester": found["requester"],
        "User": f"{who['user'] or '?'} ({who['userSource']})",
        "Pod": who["pod"],
        "Workload": who["workload"],
        "Node": who["node"],
        "Process": f"{process['exe']}[{process['pid']}]" if process["pid"] is not None else process["exe"],
        "Command": process["command"],
        "Session": found["session"],
        "Call": found["call"],
        "Used by": found["used"] and f"call {found['used']}",
        "Bound to": found["binding"],
        "Look again": shlex.join(["chaperone", "replay", found["session"]]),
    }


def _vote(vote: Document) -> str:
    said = "approves" if vote["approves"] else "denies"
    return f"{vote['time']} {vote['who']} {said}: {vote['why']} ({vote['how']})"


def _entry(entry: Document) -> str:
    return f"{entry['time']} {entry['state']} by {entry['who']}" + (f": {entry['why']}" if entry["why"] else "")
