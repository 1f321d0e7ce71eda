"""What became of each client: recorded once, or in a gap that the recording states, or silently lost."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from time import time
from typing import Any

from soak.clients import Client, now, path_of
from soak.node import Life, Node
from support.collectors import ask

from chaperone.agent.deliver.leftovers import DIED
from chaperone.collector.times import time_ns

UNTIED_S = 1.0  # what a client said may wait so long for its connection to be known, while its end is told


@dataclass(slots=True)
class Account:
    """`in_gap`: not recorded, behind the last word of an agent whose death its session states; `behind_s`: at most so long before its
    death that was; `unlooked`: not recorded, and the session that recorded when it was there counts it among those that it could not
    look into; of whom that was, a session knows no more. `said`: what sessions say is missing. `faults`: whatever must not be."""

    recorded: int = 0
    in_gap: int = 0
    behind_s: float = 0.0
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
    unlooked = {life.session: sum(map(_counted, summaries[life.session]["missing"])) for life in node.lives}
    last_words = {
        life.session: min(_last_word(node, life), life.ended)
        for life in node.lives
        if any(DIED in sentence for sentence in summaries[life.session]["missing"])
    }
    result.behind_s = max((life.ended - last_words[life.session] for life in node.lives if life.session in last_words), default=0.0)
    for client in sorted(clients, key=lambda client: client.ended):
        if times := found[path_of(client.number)]:
            result.recorded += 1
            result.faults += [f"client {client.number} was recorded {times} times"] if times > 1 else []
        elif _is_in_gap(client, node.lives, last_words):
            result.in_gap += 1
        elif (session := _counting(client, node.lives, unlooked)) is not None:
            unlooked[session] -= 1
            result.unlooked += 1
        else:
            result.silent.append(client.number)
    return result


def _counting(client: Client, lives: list[Life], unlooked: dict[str, int]) -> str | None:
    """The session that recorded while a client was there, if it counts more that it could not look into than others were."""
    there = (life.session for life in lives if client.ended > life.began and client.began < life.ended)
    return next((session for session in there if unlooked[session]), None)


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


def _last_word(node: Node, life: Life) -> float:
    """Up to when a session tells of processes that began and ended: boot-time seconds. What is behind it was not in the spool yet."""
    (row,) = ask(node.store, "sessions.show", session=life.session)
    told = (process[key] for process in row["processes"] for key in ("time", "ended") if process.get(key))
    return max((time_ns(moment) / 1e9 for moment in told), default=0.0) - (time() - now())


def _is_in_gap(client: Client, lives: list[Life], last_words: dict[str, float]) -> bool:
    """It was there behind the last word of an agent that died, and before the next one had begun."""
    return any(
        life.session in last_words and client.ended > last_words[life.session] - UNTIED_S and client.began < following.began
        for life, following in pairwise(lives)
    )
