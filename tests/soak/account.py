"""What became of each client: recorded once, or in a gap that the recording states, or silently lost."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from soak.clients import Client, path_of
from soak.node import Life, Node
from support.collectors import ask

from chaperone.agent.deliver.leftovers import DIED

BEFORE_DEATH_S = 2.0  # what an agent had taken from the kernel, or not yet, and not put into its spool when it was killed


@dataclass(slots=True)
class Account:
    """`in_gap`: not recorded, around an agent's death that its session states; `unlooked`: not recorded, and the session counts at
    least as many that it could not look into. `said`: what sessions say is missing. `faults`: whatever must not be."""

    recorded: int = 0
    in_gap: int = 0
    unlooked: int = 0
    silent: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def account(node: Node, clients: Iterable[Client]) -> Account:
    """Of every client."""
    result, found = Account(), Counter[str]()
    summaries = {life.session: _summary(node, life, result) for life in node.lives}
    for life in node.lives:
        rows = ask(node.store, "calls.list", session=life.session, limit=100_000)
        found.update(row["requestURI"] for row in rows)
        result.faults += [f"{row['requestURI']} has no answer" for row in rows if row.get("code") != 200 and not life.died]
    allowed = sum(_counted(sentence) for life in node.lives for sentence in summaries[life.session]["missing"])
    died = {session for session, row in summaries.items() if any(DIED in sentence for sentence in row["missing"])}
    for client in clients:
        _count(client, found[path_of(client.number)], _is_in_gap(client, node.lives, died), result)
    while result.silent and result.unlooked < allowed:
        result.unlooked += 1
        result.silent.pop()
    return result


def _count(client: Client, times: int, is_in_gap: bool, result: Account) -> None:
    if times > 1:
        result.faults.append(f"client {client.number} was recorded {times} times")
    elif times:
        result.recorded += 1
    elif is_in_gap:
        result.in_gap += 1
    else:
        result.silent.append(client.number)


def _summary(node: Node, life: Life, result: Account) -> dict[str, Any]:
    [row] = ask(node.store, "session.summary", session=life.session)
    result.said += row["missing"]
    if not row.get("ended"):
        result.faults.append(f"session {life.session} has no end")
    return row


def _counted(sentence: str) -> int:
    """How many a sentence says were not looked into."""
    found = re.search(r"\b(\d+) (?:connects|programs|threads|files)", sentence)
    return int(found[1]) if found else 0


def _is_in_gap(client: Client, lives: list[Life], died: set[str]) -> bool:
    """It was there when an agent died, shortly before, or before the next one had begun."""
    return any(
        life.session in died and client.ended > life.ended - BEFORE_DEATH_S and client.began < following.began
        for life, following in pairwise(lives)
    )
