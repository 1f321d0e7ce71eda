import json
from dataclasses import replace
from typing import Any

from support.made_rows import OFFSET, SESSION, call_row, session_rows

from chaperone.collector.kube.call import RequestInfo
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import SECOND, rfc3339
from chaperone.collector.wire.exchange import Phase

OTHER = "0f" * 16


def written(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for row in rows:
        writer.append(row)
    writer.flush()


def did(position: int, verb: str, resource: str, subresource: str = "", group: str = "", **changes: Any) -> Row:
    return call_row(position, info=RequestInfo(verb, True, group, "v1", resource, subresource, "default", "x"), **changes)


def activity(engine: Engine, **given: Any) -> list[dict[str, Any]]:
    return ask(engine, "sessions.activity", json.dumps(given))


def test_calls_are_counted_by_kind_and_refused_ones_did_nothing(engine: Engine) -> None:
    rows = [
        did(1, "get", "secrets"),
        did(2, "list", "secrets"),
        did(3, "get", "secrets", code=403),
        did(4, "get", "secrets", group="other.io"),
        did(5, "create", "deployments", group="apps"),
        did(6, "delete", "pods", code=404),
        did(7, "create", "pods", "exec", code=101),
        did(8, "get", "pods", "attach", code=101),
        did(9, "create", "pods", "portforward", code=101),
        did(11, "create", "selfsubjectaccessreviews", group="authorization.k8s.io", code=201),
        did(10, "patch", "pods", code=None, phase=Phase.REQUEST, ended=None),
    ]
    written(engine, *session_rows(), *rows)
    [found] = activity(engine)
    assert {key: found[key] for key in ("session", "calls", "writes", "secretsRead", "exec", "denied", "failed")} == {
        "session": SESSION,
        "calls": 11,
        "writes": 2,
        "secretsRead": 2,
        "exec": 2,
        "denied": 1,
        "failed": 1,
    }
    assert found["verbs"] == {"get": 4, "create": 4, "list": 1, "delete": 1, "patch": 1}
    assert found["resources"]["secrets"] == 3
    assert {"deployments.apps", "secrets.other.io", "pods/exec"} <= found["resources"].keys()


def test_what_never_left_did_nothing_though_nobody_answered(engine: Engine) -> None:
    ended = did(1, "delete", "pods", code=None)
    written(engine, *session_rows(), replace(ended, document={**ended.document, "denied": {"rule": "no-delete"}}), did(2, "delete", "pods"))
    assert [(found["writes"], found["denied"]) for found in activity(engine)] == [(1, 1)]


def test_only_the_latest_version_of_a_call_counts(engine: Engine) -> None:
    written(engine, *session_rows(), did(1, "get", "secrets", phase=Phase.RESPONSE, at=1, ended=None), did(1, "get", "secrets", code=500))
    assert [(found["calls"], found["secretsRead"], found["failed"]) for found in activity(engine)] == [(1, 0, 1)]


def test_sessions_without_a_call_in_that_time_are_left_out(engine: Engine) -> None:
    written(engine, *session_rows(), *session_rows(OTHER), call_row(1), call_row(100, session=OTHER))
    assert [found["session"] for found in activity(engine)] == [OTHER, SESSION]
    assert [found["session"] for found in activity(engine, since=rfc3339(OFFSET + 50 * SECOND))] == [OTHER]
    assert [found["session"] for found in activity(engine, until=rfc3339(OFFSET + 50 * SECOND))] == [SESSION]


def test_a_call_of_no_session_is_counted_too(engine: Engine) -> None:
    written(engine, call_row(1, session=""))
    [found] = activity(engine)
    assert (found["session"], found["workload"], found["argv"], found["calls"]) == ("", "", [], 1)


def test_alerts_are_counted_also_where_nothing_was_called(engine: Engine) -> None:
    alarm = {"action": "deny", "session": OTHER}
    rows = [
        Row(Kind.VERDICT, OTHER, f"{n:032x}", 1, 0, OFFSET, {**alarm, "action": action})
        for n, action in enumerate(["deny", "alert", "allow"])
    ]
    written(engine, *session_rows(), call_row(1), *rows)
    written(engine, *rows)
    assert {found["session"]: (found["calls"], found["alerts"]) for found in activity(engine)} == {SESSION: (1, 0), OTHER: (0, 2)}
