"""What sessions did, added up by session, user or workload, as rows of a table."""

import shlex
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from chaperone.collector.cli.show.call import short
from chaperone.collector.cli.show.table import Cell

Document = dict[str, Any]
COLUMNS = ("CALLS", "WRITES", "SECRETS", "EXEC", "DENIED", "FAILED", "ALERTS", "MOST")
NUMBERS = ("calls", "writes", "secretsRead", "exec", "denied", "failed", "alerts")
MOST = 3  # resources in a row
_ALARMING = frozenset({"denied", "alerts"})


class By(StrEnum):
    """What activity is added up by."""

    SESSION = "session"
    USER = "user"
    WORKLOAD = "workload"


def added_up(sessions: Iterable[Document], by: By) -> list[Document]:
    """One document for each value of `by`, in the order in which they come."""
    groups: dict[str, list[Document]] = {}
    for session in sessions:
        groups.setdefault(str(session[by]), []).append(session)
    return [found[0] if by is By.SESSION else _sum(key, by, found) for key, found in groups.items()]


def row(one: Document, by: By) -> list[Cell | str]:
    """Its cells: whose it is, then COLUMNS."""
    numbers = [Cell(str(one[name]), "bad" if one[name] and name in _ALARMING else "") for name in NUMBERS]
    most = ", ".join(f"{name} {count}" for name, count in list(one["resources"].items())[:MOST])
    return [*_whose(one, by), *numbers, most]


def headings(by: By) -> list[str]:
    """The names of a row's cells."""
    return [*({By.SESSION: ["ID", "COMMAND"]}.get(by) or [by.value.upper(), "SESSIONS"]), *COLUMNS]


def _whose(one: Document, by: By) -> list[Cell | str]:
    if by is By.SESSION:
        return [short(one["session"]), shlex.join(one["argv"]) or one["workload"]]
    return [one[by] or "?", str(one["sessions"])]


def _sum(key: str, by: By, found: list[Document]) -> Document:
    numbers = {name: sum(one[name] for one in found) for name in NUMBERS}
    return {by.value: key, "sessions": len(found), **numbers, "verbs": _merged(found, "verbs"), "resources": _merged(found, "resources")}


def _merged(found: list[Document], key: str) -> dict[str, int]:
    counter = Counter[str]()
    for one in found:
        counter.update(one[key])
    return dict(counter.most_common())
