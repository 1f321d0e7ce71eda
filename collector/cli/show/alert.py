"""An alert as a row of a table, and in full."""

from collections.abc import Callable, Iterator
from typing import Any

from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import Cell
from chaperone.collector.cli.show.times import age
from chaperone.collector.times import time_ns

Document = dict[str, Any]
LABEL = 12
_STYLES = {"critical": "bad", "high": "bad", "medium": "doubtful"}


def state(alert: Document) -> Cell:
    """`acked`, or how far those are who should be told; `kept` where nobody should be."""
    states = {delivery["state"] for delivery in alert["deliveries"]}
    if alert["acked"]:
        return Cell("acked", "faint")
    for name, style in (("failed", "bad"), ("dropped", "bad"), ("sending", "doubtful"), ("waiting", "doubtful"), ("told", "good")):
        if name in states:
            return Cell(name, style)
    return Cell("kept")


COLUMNS: dict[str, Callable[[Document, int], Cell | str]] = {
    "ID": lambda alert, now: short(alert["id"]),
    "AGE": lambda alert, now: age(now - time_ns(alert["last"])),
    "SEVERITY": lambda alert, now: Cell(alert["severity"], _STYLES.get(alert["severity"], "")),
    "SAYS": lambda alert, now: alert["action"],
    "RULE": lambda alert, now: alert["rule"],
    "COUNT": lambda alert, now: str(alert["count"]),
    "WORKLOAD": lambda alert, now: alert["who"]["pod"] or alert["who"]["workload"],
    "MESSAGE": lambda alert, now: alert["message"],
    "STATE": lambda alert, now: state(alert),
}


def row(alert: Document, now: int) -> list[Cell | str]:
    """The cells of COLUMNS; `now` is wall-clock ns."""
    return [make(alert, now) for make in COLUMNS.values()]


def alert_lines(alert: Document) -> Iterator[str]:
    """All of it, one fact a line."""
    for name, text in _facts(alert).items():
        if text:
            yield f"{name + ':':<{LABEL}} {escape(text)}"
    yield from _section("Evidence (masked):", [f"{item['word']} = {item['value']}" for item in alert["evidence"]])
    yield from _section("Told:", [_told(delivery) for delivery in alert["deliveries"]])
    yield from _section("Look again:", [command for command in (alert["replay"], alert["inspect"]) if command])


def _section(heading: str, texts: list[str]) -> Iterator[str]:
    if texts:
        yield from ("", heading)
        yield from (f"  {escape(text)}" for text in texts)


def _told(delivery: Document) -> str:
    told = f"{delivery['receiver']}: {delivery['state']}, {delivery['told']} told{of_collector(delivery)}"
    return told + (f" ({delivery['why']})" if delivery["why"] else "")


def of_collector(found: Document) -> str:
    """Which of several collectors of one database it was."""
    return f" by {found['collector']}" if "collector" in found else ""


def _facts(alert: Document) -> dict[str, str]:
    who, process, what = alert["who"], alert["process"], alert["what"]
    thing = "/".join(part for part in (what["resource"], what["name"], what["subresource"]) if part)
    several = f"{alert['count']}, the last at {alert['latest']['time']}: {alert['latest']['message']}" if alert["count"] > 1 else ""
    return {
        "Alert": alert["id"],
        "Severity": alert["severity"],
        "Rule": f"{alert['rule']} of {alert['policy']} says {alert['action']} ({alert['mode']})",
        "MITRE": ", ".join(alert["mitre"]),
        "Message": alert["message"],
        "Time": alert["time"],
        "Alike": several,
        "Does": " ".join(part for part in (what["verb"], thing, f"in {what['namespace']}" if what["namespace"] else "") if part),
        "Request": f"{what['method']} {what['uri']} ({what['authority']})",
        "Answer": "" if what["code"] is None else str(what["code"]),
        "User": f"{who['user'] or '?'} ({who['userSource']})",
        "Asked by": who["asked"],
        "Pod": who["pod"],
        "Workload": who["workload"],
        "Node": who["node"],
        "Process": f"{process['exe']}[{process['pid']}]" if process["pid"] is not None else process["exe"],
        "Command": process["command"],
        "Directory": process["cwd"],
        "Labels": ", ".join(f"{name}={value}" for name, value in alert["labels"].items()),
        "Unknown": ", ".join(alert["unknown"]),
        "Acked": alert["acked"] or "",
    }
