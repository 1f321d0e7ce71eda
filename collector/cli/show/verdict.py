"""A verdict's document → a row, and the line that stands beside a call."""

from collections.abc import Callable
from typing import Any

from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import Cell
from chaperone.collector.cli.show.times import age
from chaperone.collector.times import time_ns

Document = dict[str, Any]
STYLES = {"critical": "bad", "high": "bad", "medium": "doubtful"}

COLUMNS: dict[str, Callable[[Document, int], Cell | str]] = {
    "ID": lambda verdict, now: short(verdict["id"]),
    "AGE": lambda verdict, now: age(now - time_ns(verdict.get("at") or verdict["time"])),
    "SEVERITY": lambda verdict, now: Cell(verdict["severity"], STYLES.get(verdict["severity"], "")),
    "ACTION": lambda verdict, now: Cell(verdict["action"], "" if verdict["action"] in ("alert", "allow") else "bad"),
    "RULE": lambda verdict, now: verdict["rule"],
    "CALL": lambda verdict, now: short(verdict["call"]) if verdict["call"] else "-",
    "MESSAGE": lambda verdict, now: told(verdict),
}


def row(verdict: Document, now: int) -> list[Cell | str]:
    """The cells of COLUMNS; `now` is wall-clock ns."""
    return [make(verdict, now) for make in COLUMNS.values()]


def told(verdict: Document) -> str:
    """Its message, what was unknown, and why it had no effect."""
    unknown = f" (unknown: {', '.join(verdict['unknown'])})" if verdict["unknown"] else ""
    undone = f" [not carried out: {verdict['notCarriedOut']}]" if verdict["notCarriedOut"] else ""
    return f"{verdict['message']}{unknown}{undone}"


def line(verdict: Document) -> str:
    """`deny by no-privileged-exec (high): …`."""
    return escape(f"{verdict['action']} by {verdict['rule']} ({verdict['severity']}): {told(verdict)}")
