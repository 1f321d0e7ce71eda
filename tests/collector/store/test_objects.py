"""What the traffic showed of an object, from a real store."""

import json
import time
from typing import Any

from support import documents as d
from support.judged_events import body

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.objects import object_before
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import rfc3339

POD = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"nodeName": "x" * 2000}}


def call(number: int, **changed: Any) -> dict[str, Any]:
    wanted = {"verb": "get", "apiGroup": "", "resource": "pods", "subresource": "", "namespace": "prod", "name": "web", "code": 200}
    now = rfc3339(time.time_ns() - (100 - number) * 10**9)
    seen = {"id": f"{number:032x}", "phase": "end", "time": now, "ended": now, "authority": "api:6443", "responseBody": body(POD)}
    return d.call() | wanted | seen | changed


def put(engine: Engine, *calls: dict[str, Any]) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for one in calls:
        writer.append(Row(Kind.CALL, d.SESSION, one["id"], 4, 0, int(time.time_ns()) - 10**10 + int(one["id"], 16), one))
    writer.flush()


def test_the_last_answer_that_shows_it_counts(engine: Engine) -> None:
    newer = {**POD, "spec": {"nodeName": "b"}}
    put(engine, call(1), call(2, responseBody=body(newer)), call(3, responseBody=body({"kind": "Table", "metadata": {"name": "web"}})))
    assert object_before(engine, call(9, verb="patch")) == newer


def test_large_ones_are_put_together_again(engine: Engine) -> None:
    put(engine, call(1))
    assert object_before(engine, call(9)) == json.loads(json.dumps(POD))


def test_what_says_nothing_of_it_does_not_count(engine: Engine) -> None:
    others = [{"name": "other"}, {"namespace": "dev"}, {"apiGroup": "x"}, {"authority": "other:6443"}, {"subresource": "status"}]
    refused = [{"code": 403}, {"verb": "delete"}, {"responseBody": None}, {"responseBody": body(POD, complete=False)}]
    cut = [{"responseBody": body(POD) | {"data": "{"}}, {"responseBody": body({"metadata": {"name": "else"}})}]
    put(engine, *(call(number, **changed) for number, changed in enumerate(others + refused + cut)))
    assert object_before(engine, call(99)) is None
    assert object_before(engine, call(99, name="")) is None
