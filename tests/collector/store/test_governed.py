"""Who is used in a governed workload, from a real store."""

import os
import pwd
import time
from typing import Any

import pytest
from support import documents as d

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.governed import governed
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer

ME = pwd.getpwuid(os.getuid())


def put(engine: Engine, kind: Kind, document: dict[str, Any], id_: str = "", phase: int = 1, age_s: int = 1) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    writer.append(Row(kind, d.SESSION, id_ or document["id"], phase, 0, time.time_ns() - age_s * 10**9, document))
    writer.flush()


def session(engine: Engine, **changed: Any) -> None:
    put(engine, Kind.SESSION, d.session() | {"user": "nobody-else"} | changed, d.SESSION)


def over(engine: Engine) -> None:
    put(engine, Kind.SESSION, {"ended": "2026-01-02T03:04:05Z"}, d.SESSION, phase=4)


def test_the_user_of_a_run_that_goes_on(engine: Engine) -> None:
    session(engine, user="ann")
    assert governed(engine, "unix:ann") == f"unix:ann is used in a governed workload (session {d.SESSION[:12]}), and can't decide"
    assert governed(engine, "unix:bob") == governed(engine, "user:ann") == ""
    over(engine)
    assert governed(engine, "unix:ann") == ""


def test_a_session_that_nobody_ended_does_not_count_for_ever(engine: Engine) -> None:
    put(engine, Kind.SESSION, d.session() | {"user": "ann"}, d.SESSION, age_s=26 * 3600)
    assert governed(engine, "unix:ann") == ""


def test_the_user_of_any_process_in_it(engine: Engine) -> None:
    session(engine)
    put(engine, Kind.PROCESS, d.process() | {"uid": ME.pw_uid}, "p" * 32)
    put(engine, Kind.PROCESS, d.process() | {"uid": 54321}, "q" * 32)
    assert governed(engine, f"unix:{ME.pw_name}") and governed(engine, "unix:54321")
    put(engine, Kind.PROCESS, {"ended": "2026-01-02T03:04:05Z"}, "p" * 32, phase=4)
    assert governed(engine, f"unix:{ME.pw_name}") == "" == governed(engine, "unix:no-such-user")


CALLS: dict[str, tuple[dict[str, Any], bool]] = {
    "claimed": ({"user": "jane"}, True),
    "claimed and not believed": ({"user": "jane", "code": 401}, False),
    "impersonated": ({"impersonated": {"user": "jane", "groups": [], "uid": "", "extra": []}}, True),
    "another": ({"user": "joan"}, False),
}


@pytest.mark.parametrize("what", CALLS)
def test_whom_the_cluster_knows_by_calls(engine: Engine, what: str) -> None:
    changed, expected = CALLS[what]
    put(engine, Kind.CALL, d.call() | {"user": "x", "code": 200} | changed, phase=4)
    assert bool(governed(engine, "user:jane")) is expected


def test_the_account_of_a_governed_pod(engine: Engine) -> None:
    session(engine, lookedUp={"serviceAccount": "ai:agent"})
    assert governed(engine, "user:system:serviceaccount:ai:agent")
    assert governed(engine, "user:ai:agent") == governed(engine, "user:system:serviceaccount:ai:other") == ""
