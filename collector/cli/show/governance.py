"""How workloads are governed in fact, and what rules did, as lines of `chaperone status`."""

import time
from collections.abc import Iterator
from typing import Any

from chaperone.collector.cli.output import is_coloured
from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.table import Cell, table
from chaperone.collector.cli.show.times import age
from chaperone.collector.times import time_ns

Document = dict[str, Any]
WORKLOADS = ("SESSION", "WORKLOAD", "WISHED", "EFFECTIVE", "WHY")
RULES = ("RULE", "POLICY", "SAYS", "MATCHED", "CARRIED OUT", "LAST")
_STYLES = {"enforce": "good", "record": "", "allow": "bad", "deny": "bad", "nothing": "bad"}


def head(found: Document) -> list[str]:
    """Policies, receivers and approvals, one fact a line."""
    policies = found["policies"]
    names = {receiver["receiver"] for receiver in found["receivers"]}
    failing = [f"{one['receiver']}{_of(one)}" for one in found["receivers"] if one["failing"]]
    lines = [
        f"Policies:    {policies['rules']} rules, {policies['digest']}, loaded {policies['loaded']}",
        f"             not loaded: {policies['problem']}" if policies["problem"] else "",
        f"Receivers:   {len(names)}" + (f", failing: {', '.join(failing)}" if failing else ""),
        f"Approvals:   {len(found['waiting'])} wait for people" if found["waiting"] else "",
    ]
    return [escape(line) for line in [*lines, *_glass(found["glass"])] if line]


def _of(receiver: Document) -> str:
    """Each of several collectors of one database tells by itself."""
    return f" ({receiver['collector']})" if "collector" in receiver else ""


def _glass(found: list[Document]) -> Iterator[str]:
    """Where nothing is enforced now, or is to be once its agent calls."""
    for one in found:
        where = one["node"] or f"{', '.join(one['nodes']) or 'all nodes'}, as the collector was told"
        yield f"Break-glass: nothing is held, denied or masked until {one['until'][:19]}Z on {where}"
        yield f"             by {one['who']}: {one['why']}"


def workloads(found: list[Document]) -> list[str]:
    """Of each workload what is wished, what is in force, and why."""
    if not found:
        return ["No workload is governed now."]
    rows = [
        (
            short(one["session"]),
            one["workload"],
            one["wished"],
            Cell(one["effective"], "doubtful" if one["why"] and one["effective"] == one["wished"] else _STYLES[one["effective"]]),
            "; ".join(one["why"]),
        )
        for one in found
    ]
    return list(table(WORKLOADS, rows, is_coloured()))


def rules(found: list[Document]) -> list[str]:
    """Of each rule how often it matched, and was carried out."""
    if not found:
        return ["No rule has said anything within a day."]
    now = time.time_ns()
    rows = [
        (
            one["rule"],
            one["policy"],
            f"{one['action']} ({one['effective']})",
            str(one["matched"]),
            str(one["carriedOut"]) if one["effective"] == "enforce" else "-",
            age(now - time_ns(one["last"])),
        )
        for one in found
    ]
    return list(table(RULES, rows, is_coloured()))
