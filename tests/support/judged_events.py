"""Events for rules, made as the pipeline makes them: documents of calls and exchanges with somebody else."""

import json
from typing import Any

from chaperone.collector.rules.event import Event, Subject
from chaperone.collector.rules.verdict import Moment

CALL: dict[str, Any] = {
    "id": "c" * 32,
    "session": "5" * 32,
    "stream": "a" * 32,
    "phase": "end",
    "time": "2026-01-02T03:04:00.000000000Z",
    "requested": "2026-01-02T03:04:00.000000001Z",
    "answered": "2026-01-02T03:04:00.000000002Z",
    "ended": "2026-01-02T03:04:00.000000003Z",
    "process": {"id": "p", "pid": 7, "exe": "/usr/bin/kubectl", "argv": ["kubectl", "get"]},
    "method": "GET",
    "authority": "api:6443",
    "code": 200,
    "verb": "get",
    "apiGroup": "",
    "resource": "secrets",
    "subresource": "",
    "namespace": "default",
    "name": "one",
    "requestURI": "/api/v1/namespaces/default/secrets/one",
    "requestHeaders": [["Authorization", "Bearer x"]],
    "user": "alice",
    "userAgent": "kubectl",
    "impersonated": None,
    "requestBody": None,
    "responseBody": None,
}


def body(tree: Any, **changed: Any) -> dict[str, Any]:
    """A masked body as a document has it."""
    data = json.dumps(tree)
    return {"size": len(data), "complete": True, "encoding": "utf-8", "masked": 0, "data": data, **changed}


def call(moment: Moment = Moment.REQUEST, second: int = 0, **changed: Any) -> Event:
    """A call's moment, `second` seconds after the minute."""
    return Event(
        Subject.CALL, moment, f"2026-01-02T03:04:{second:02}.000000000Z", CALL | changed, session={"id": "5" * 32, "workload": "w"}
    )


def piece(channel: str, text: str, second: int = 0, **changed: Any) -> Event:
    """What a channel of a call brought."""
    brought = {"channel": channel, "direction": "out", "body": {"size": len(text), "encoding": "utf-8", "masked": 0, "data": text}}
    time = f"2026-01-02T03:04:{second:02}.000000000Z"
    return Event(Subject.CHANNEL, Moment.CHANNEL, time, CALL | changed, brought, {"id": "5" * 32, "workload": "w"})


def egress(host: str, second: int = 0) -> Event:
    """An exchange with a host that is no apiserver."""
    keys = ("id", "session", "stream", "time", "process", "method")
    document = {key: CALL[key] for key in keys} | {"authority": host, "path": "/"}
    time = f"2026-01-02T03:04:{second:02}.000000000Z"
    return Event(Subject.EGRESS, Moment.REQUEST, time, document, session={"id": "5" * 32, "workload": "w"})


def unread(second: int = 0, **changed: Any) -> Event:
    """A connection whose TLS nobody reads."""
    document = {key: CALL[key] for key in ("id", "session", "stream", "time", "process")} | {"authority": "h.test:443", "unread": "rustls"}
    document |= {"remote": "192.0.2.7:443", "protocol": "tcp", "names": [], "apiserver": False}
    time = f"2026-01-02T03:04:{second:02}.000000000Z"
    return Event(Subject.TLS, Moment.REQUEST, time, document | changed, session={"id": "5" * 32, "workload": "w"})
