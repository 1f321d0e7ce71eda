"""`chaperone status`: who keeps the store and what is in it, how every workload is governed in fact, what rules did, what is wrong."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaperone.collector.cli.ask import StoreOption, answers, ask, whom
from chaperone.collector.cli.launch.summary import counted
from chaperone.collector.cli.options import FormOption
from chaperone.collector.cli.output import Form, document, say
from chaperone.collector.cli.show.body import amount
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.governance import head, rules, workloads
from chaperone.collector.cli.show.times import age
from chaperone.collector.times import SECOND
from chaperone.proto import glass

COUNTED = {"session": "", "call": "", "exchange": " with others", "verdict": ""}  # and which of them
LABEL = 12
SEVERAL = {"workloads": "workloads.status", "rules": "rules.counts", "receivers": "alerts.status"}


def status(output: FormOption = Form.TABLE, store: StoreOption = None) -> None:
    """Show who keeps the store, how every workload is governed in fact and why that is not as wished, what rules did within a day.

    \b
    Examples:
      chaperone status
      chaperone status -o json | jq '.workloads[] | select(.effective != .wished)'
    """
    place = whom(store)
    if output is Form.TABLE and isinstance(place, Path):
        say(here())  # first: it is so whether or not a collector answers
    found = next(ask(place, "status")) | {"policies": next(ask(place, "rules.status"))}
    found |= {key: list(answers(place, question, {}, found.setdefault("missing", []).extend)) for key, question in SEVERAL.items()}
    found["glass"] = list(ask(place, "glass.list", now=True))
    found["waiting"] = list(ask(place, "approvals.list", state="pending"))
    if output is not Form.TABLE:
        return document(found, output)
    say([*lines(found), *head(found), ""])
    say([*workloads(found["workloads"]), ""])
    return say(rules(found["rules"]))


def here() -> list[str]:
    """Whether the glass is broken on this node, as its own file says to whoever may read it."""
    try:
        found = glass.read(glass.place())
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (glass.GlassError, OSError):
        return []
    left = found.until - time.clock_gettime_ns(time.CLOCK_BOOTTIME) if found and found.boot == boot else 0
    if found is None or left <= 0:
        return []
    return [escape(f"This node:   nothing is held, denied or masked for {age(left)}, by {found.who}: {found.why}")]


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The answer as text."""
    counts = ", ".join(counted(found["counts"].get(kind, 0), kind) + which for kind, which in COUNTED.items())
    facts = {
        "Collector": f"{found['version']}, process {found['pid']}, for {age(int(found['uptime_s'] * SECOND))}",
        "Recorded": f"{counts}; {amount(int(found['size']))} on disk",
        "Refuses": found["refusal"],
    }
    yield from (f"{name + ':':<{LABEL}} {escape(text)}" for name, text in facts.items() if text)
    yield from _several(found.get("collectors", []), found.get("missing", []))
    for note in found.get("notes", []):
        yield f"{'Trouble:':<{LABEL}} {escape(note['time'][:19])}Z {escape(note['subject'])}: {escape(note['text'])}"


def _several(collectors: list[dict[str, Any]], missing: list[str]) -> Iterator[str]:
    """The collectors of one database, if there are several, and those that do not answer."""
    for one in collectors if len(collectors) + len(missing) > 1 else []:
        text = f"{one['collector']}: {counted(len(one['nodes']), 'node')}, {one['version']}, for {age(int(one['uptime_s'] * SECOND))}"
        refuses = f"; refuses: {one['refusal']}" if one["refusal"] else ""
        yield f"{'One of:':<{LABEL}} {escape(text + refuses)}"
    yield from (f"{'Missing:':<{LABEL}} {escape(sentence)}" for sentence in missing)
