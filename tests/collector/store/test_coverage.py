"""What a store knows of coverage."""

import json
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.facts import BEGUN, KNOWN, OVER
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer

NOW = 4_000_000_000 * 10**9  # of no clock: rows are younger than any day


def write(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for row in rows:
        writer.append(row)
    writer.flush()


def session(id_: str, container: str, phase: int = BEGUN) -> Row:
    document: dict[str, Any] = {"workload": f"demo/{id_}/main"} | ({"lookedUp": {"containerID": container}} if container else {})
    return Row(Kind.SESSION, id_, id_, phase, 1, NOW, document if phase == BEGUN else {"ended": "2026-01-01T00:00:00Z"})


def test_containers_of_open_sessions_are_known(engine: Engine) -> None:
    rows = [
        session("a1", "c1"),
        session("a2", "c2"),
        session("a2", "", OVER),
        session("a3", ""),
        session("a4", "c1"),
        session("a4", "", OVER),
    ]
    write(engine, *rows)
    assert ask(engine, "containers.open", "{}") == [{"container": "c1"}]


def test_programs_that_nobody_reads_are_counted(engine: Engine) -> None:
    process = Row(Kind.PROCESS, "a1", "b1", BEGUN, 1, NOW, {"exe": "/usr/bin/odd"}, process="b1")
    connections = [
        Row(Kind.CONNECTION, "a1", f"c{number}", phase, number, NOW, {"unread": "rustls"}, process="b1")
        for number in range(3)
        for phase in (KNOWN, OVER)
    ]
    read = Row(Kind.CONNECTION, "a1", "c9", OVER, 1, NOW, {"tls": "TLS 1.3"}, process="b1")
    write(engine, session("a1", "c1"), process, *connections, read)
    row = {"session": "a1", "workload": "demo/a1/main", "exe": "/usr/bin/odd", "stack": "rustls", "connections": 3}
    assert ask(engine, "unread.list", json.dumps({"hours": 1})) == [row]
