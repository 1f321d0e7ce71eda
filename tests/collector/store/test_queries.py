import json
from typing import Any

import pytest
from support.made_rows import NO_COMMAND, OFFSET, SESSION, STREAM, body_row, call_row, session_rows

from chaperone.collector.parameters import QuestionError
from chaperone.collector.store import facts
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import QUESTIONS, ask
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import rfc3339
from chaperone.collector.wire.exchange import Phase
from chaperone.proto.ids import SessionId
from chaperone.proto.records import SessionEnded, SessionStarted

KEY = b"k" * 32

OTHER = "0f" * 16


def written(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    for row in rows:
        writer.append(row)
    writer.flush()


def asked(engine: Engine, question: str, /, **parameters: Any) -> list[dict[str, Any]]:
    return ask(engine, question, json.dumps(parameters))


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


def test_calls_come_oldest_first_and_the_newest_of_them(engine: Engine) -> None:
    written(engine, *[call_row(n, name=f"pod-{n}") for n in range(5)])
    assert names(asked(engine, "calls.list")) == [f"pod-{n}" for n in range(5)]
    assert names(asked(engine, "calls.list", limit=2)) == ["pod-3", "pod-4"]


def test_each_filter_narrows(engine: Engine) -> None:
    written(engine, *session_rows(), call_row(1, name="a"), call_row(2, name="b", code=404))
    for filters, expected in [
        ({"code": 404}, ["b"]),
        ({"name": "a"}, ["a"]),
        ({"verb": "list"}, []),
        ({"resource": "pods", "namespace": "default", "user": "agent", "apiGroup": "", "subresource": ""}, ["a", "b"]),
        ({"userAgent": "kubectl/"}, ["a", "b"]),
        ({"since": "2023-11-14T22:13:22Z"}, ["b"]),
        ({"until": "2023-11-14T22:13:22Z"}, ["a"]),
        ({"session": SESSION[:6]}, ["a", "b"]),
        ({"stream": STREAM[:4]}, ["a", "b"]),
        ({"process": "00"}, []),
    ]:
        assert names(asked(engine, "calls.list", **filters)) == expected, filters


def test_a_filter_sees_the_latest_version_only(engine: Engine) -> None:
    written(engine, call_row(phase=Phase.RESPONSE, at=1, code=200, ended=None), call_row(code=500))
    assert asked(engine, "calls.list", code=200) == []
    assert len(asked(engine, "calls.list", code=500)) == 1


@pytest.mark.parametrize("key", ["verb", "name", "user", "userAgent", "namespace"])
@pytest.mark.parametrize("value", ["' OR 1=1 --", "{verb:String}", "\\' OR true --", "%"])
def test_a_filter_is_a_value_and_never_a_statement(engine: Engine, key: str, value: str) -> None:
    written(engine, call_row())
    assert asked(engine, "calls.list", **{key: value}) == []


def test_following_brings_what_arrived_and_what_became_known(engine: Engine) -> None:
    written(engine, call_row(phase=Phase.REQUEST, at=1, name="watched", code=None, ended=None))
    first = asked(engine, "calls.list")
    cursor = first[-1]["cursor"]
    assert asked(engine, "calls.list", after=cursor) == []
    written(engine, call_row(5, name="new"), call_row(name="watched"))
    later = asked(engine, "calls.list", after=cursor)
    assert names(later) == ["new", "watched"]
    assert later[-1]["code"] == 200


def test_bodies_come_on_demand(engine: Engine) -> None:
    written(engine, body_row("y" * 5000, 1), body_row("small", 2))
    assert all("data" not in row["responseBody"] for row in asked(engine, "calls.list"))
    assert [row["responseBody"]["data"] for row in asked(engine, "calls.list", bodies=True)] == ["y" * 5000, "small"]


def test_sessions_are_listed_newest_last_with_what_is_in_them(engine: Engine) -> None:
    written(engine, *session_rows(OTHER, OFFSET + 5), *session_rows(SESSION, OFFSET), call_row())
    found = asked(engine, "sessions.list")
    assert [(row["id"], row["calls"]) for row in found] == [(SESSION, 1), (OTHER, 0)]
    assert [row["id"] for row in asked(engine, "sessions.list", limit=1)] == [OTHER]
    assert asked(engine, "sessions.list", since="2040-01-01T00:00:00Z") == []


def test_a_session_is_found_by_the_beginning_of_its_id(engine: Engine) -> None:
    written(engine, *session_rows(SESSION), *session_rows(OTHER, OFFSET + 1))
    assert asked(engine, "session.summary", session=SESSION[:3])[0]["id"] == SESSION
    assert asked(engine, "session.summary", session="latest")[0]["id"] == OTHER
    for wanted, problem in [("abc", "no session is called 'abc'"), (None, "a session is needed")]:
        with pytest.raises(QuestionError, match=problem):
            asked(engine, "session.summary", session=wanted)
    written(engine, *session_rows(SESSION[:4] + OTHER[4:]))
    with pytest.raises(QuestionError, match="several sessions are called"):
        asked(engine, "session.summary", session=SESSION[:3])


def test_a_shown_session_has_its_parts(engine: Engine) -> None:
    note = Row(Kind.NOTE, SESSION, "n", 1, 1, OFFSET, {"subject": "agent", "text": "late", "complete": False})
    written(engine, *session_rows(), note)
    [shown] = asked(engine, "sessions.show", session=SESSION)
    assert [shown[key] for key in ("processes", "streams", "losses")] == [[], [], []]
    assert shown["notes"] == [note.document]


def test_a_replay_tells_all_in_order_of_time(engine: Engine) -> None:
    written(engine, *session_rows(ended=False), call_row(2, name="second"), call_row(1, name="first"))
    moments = asked(engine, "replay", session=SESSION)
    assert [moment["kind"] for moment in moments] == ["session", "call", "answer", "call", "answer"]
    assert [moment["at"] for moment in moments] == sorted(moment["at"] for moment in moments)
    assert moments[1]["document"]["name"] == "first" and moments[1]["at"] == rfc3339(OFFSET + 10**9)


def test_status_counts_things_not_versions(engine: Engine) -> None:
    written(engine, call_row(phase=Phase.REQUEST, at=1), call_row(), *session_rows())
    [status] = asked(engine, "status")
    assert status["counts"] == {"call": 1, "session": 1} and status["size"] > 0


def test_an_unknown_question_is_refused_with_those_that_exist(engine: Engine) -> None:
    with pytest.raises(QuestionError, match=r"'calls'; there are sessions\.list"):
        ask(engine, "calls", "{}")


def test_every_question_says_what_it_takes() -> None:
    for name, (question, allowed) in QUESTIONS.items():
        assert question.__doc__, name
        assert [key for key in allowed if key not in question.__doc__ and key != "after"] == [], name


def pod_session(session: str, namespace: str, pod: str) -> list[Row]:
    id_ = SessionId(session)
    started = SessionStarted(id_, f"{namespace}/{pod}", 1, namespace=namespace, pod=pod)
    return [facts.session_begun(started, NO_COMMAND, OFFSET), facts.session_over(SessionEnded(id_, 9), OFFSET)]


def test_sessions_are_found_by_their_pod(engine: Engine) -> None:
    first, second = "5a" * 16, "5b" * 16
    written(engine, *session_rows(), *pod_session(first, "agents", "coder"), *pod_session(second, "agents", "tester"))

    def found(**filters: str) -> set[str]:
        return {row["id"] for row in asked(engine, "sessions.list", **filters)}

    assert found() == {SESSION, first, second}
    assert found(namespace="agents") == {first, second}
    assert found(namespace="agents", pod="tester") == found(pod="tester") == {second}
    assert found(namespace="kube-system", pod="tester") == set()
    assert asked(engine, "sessions.list", pod="coder")[0]["lookedUp"]["pod"] == "agents/coder"
