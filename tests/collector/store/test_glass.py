"""What is in force, from a real store."""

import time
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.glass import glass_list, node_row, word_row
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.rows import Row
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import rfc3339
from chaperone.proto.records import BreakGlass

NOW, MINUTE = time.time_ns(), 60_000_000_000


def put(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for row in rows:
        writer.append(row)
    writer.flush()


def said(node: str, minutes: int = 600, ended: int = 0) -> Row:
    record = BreakGlass("g1", node, 0, minutes * MINUTE, "unix:root", "raw", ended and ended * MINUTE)
    return node_row(record, ("unix:root", "masked"), NOW - 5 * MINUTE)


def in_force(engine: Engine) -> list[str]:
    return [one["id"] for one in glass_list(engine, {"now": True})]


def test_what_an_agent_said_is_in_force_until_it_ends_or_its_time_is_over(engine: Engine) -> None:
    put(engine, said("n1"), said("n1"), said("n2"), said("n3", minutes=4))
    assert sorted(in_force(engine)) == ["g1/n1", "g1/n2"]
    put(engine, said("n2", ended=3))
    assert in_force(engine) == ["g1/n1"]
    [one] = [one for one in glass_list(engine, {}) if one["node"] == "n2"]
    assert (one["who"], one["why"], one["time"], one["ended"]) == (
        "unix:root", "masked", rfc3339(NOW - 5 * MINUTE), rfc3339(NOW - 2 * MINUTE),
    )  # fmt: skip


def test_what_was_said_here_is_too(engine: Engine) -> None:
    word: dict[str, Any] = {"id": "all-1", "node": "", "nodes": [], "time": rfc3339(NOW), "until": rfc3339(NOW + 600 * MINUTE)}
    put(engine, word_row(word | {"who": "user:ann", "how": "token", "why": "stuck"}))
    assert in_force(engine) == ["all-1"]
    put(engine, word_row(word | {"ended": rfc3339(NOW + 5), "endedBy": "user:bob"}))
    assert in_force(engine) == [] and [one["endedBy"] for one in glass_list(engine, {"limit": 1})] == ["user:bob"]
