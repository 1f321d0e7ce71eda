"""Named questions → rows. What a question may be given, and what its rows are, stands in its function's docstring.

Rows are JSON objects in the shapes of store/document.py. Where a question takes `session`, the beginning of an id will do;
"latest" is the session that began last. `since`, `until` and all order in time are of the steady time (store/clock.py), as is `at`;
times in documents are the wall clock's as it was. `bodies: true` puts bodies' data into the documents; without it they have sizes only.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chaperone.collector.parameters import QuestionError
from chaperone.collector.store import bodies, judgements
from chaperone.collector.store.access import ACCESS_PARAMETERS, accesses_list
from chaperone.collector.store.activity import sessions_activity
from chaperone.collector.store.approvals import PARAMETERS as APPROVALS
from chaperone.collector.store.approvals import approvals_list
from chaperone.collector.store.arrivals import AFTER, CURSOR, settled
from chaperone.collector.store.clock import SINCE, STEADY, UNTIL, clocks
from chaperone.collector.store.coverage import containers_open, unread_list
from chaperone.collector.store.engine import Engine, Parameter
from chaperone.collector.store.glass import PARAMETERS as GLASS
from chaperone.collector.store.glass import glass_list
from chaperone.collector.store.policies import PARAMETERS as POLICIES
from chaperone.collector.store.policies import policies_history
from chaperone.collector.store.questions import bound, flag, identifier, parameters_in, row_limit
from chaperone.collector.store.running import rules_counts, sessions_open
from chaperone.collector.store.summary import merged, summary
from chaperone.collector.store.timeline import moments
from chaperone.collector.times import rfc3339

Rows = list[dict[str, Any]]

_LATEST = "ORDER BY session, id, phase DESC, position DESC LIMIT 1 BY session, id"
_CALL_FILTERS = {  # key: (kind, condition). Those before the latest version is picked are equal in all of a call's versions.
    "since": ("time", SINCE),
    "until": ("time", UNTIL),
    "id": ("id", "startsWith(id, {id:String})"),
    "stream": ("id", "startsWith(stream, {stream:String})"),
    "process": ("id", "startsWith(process, {process:String})"),
    "after": ("number", AFTER),
}
_SESSION_FILTERS = {
    "since": _CALL_FILTERS["since"],
    "until": _CALL_FILTERS["until"],
    "namespace": ("text", "namespace = {namespace:String}"),
    "pod": ("text", "name = {pod:String}"),
}
_VERSION_FILTERS = {
    "verb": ("text", "verb = {verb:String}"),
    "apiGroup": ("text", "api_group = {apiGroup:String}"),
    "resource": ("text", "resource = {resource:String}"),
    "subresource": ("text", "subresource = {subresource:String}"),
    "namespace": ("text", "namespace = {namespace:String}"),
    "name": ("text", "name = {name:String}"),
    "user": ("text", "user = {user:String}"),
    "userAgent": ("text", "startsWith(user_agent, {userAgent:String})"),
    "code": ("number", "code = {code:UInt64}"),
}


def sessions_list(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`since`, `until`, `namespace`, `pod`, `limit` (default 100) → the summary of each session and `at`, newest last. `namespace` and
    `pod` are those of the container's pod."""
    limit = row_limit(parameters, 100)
    narrow, given = _conditions(parameters, _SESSION_FILTERS)
    conditions = ["kind = 'session'", *narrow]
    columns = f"SELECT session, min({STEADY}) AS at FROM records"
    newest = f"{columns} WHERE {' AND '.join(conditions)} GROUP BY session ORDER BY at DESC, session LIMIT {{limit:UInt64}}"
    found = engine.rows(newest, {**given, **clocks(engine), "limit": limit})
    return [summary(engine, row["session"]) | {"at": rfc3339(row["at"])} for row in reversed(found)]


def sessions_show(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session` → one row: its summary and its `processes`, `streams`, `losses` and `notes`."""
    session = _session(engine, parameters)
    lists = {name: merged(engine, session, kinds) for name, kinds in _PARTS.items()}
    return [{**summary(engine, session), **lists}]


_PARTS = {"processes": ["process"], "streams": ["stream"], "losses": ["loss", "gap"], "notes": ["note"]}


def session_summary(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session` → one row: {id, …, calls, exchanges, bytes, complete, missing}; see store/summary.py."""
    return [summary(engine, _session(engine, parameters))]


def calls_list(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session since until id stream process verb apiGroup resource subresource namespace name user userAgent code bodies`,
    `limit` (default 1000) → the newest calls, each with `at`, oldest first. To follow, ask again with `after`: the highest `cursor` of the
    rows so far; then they come in order of arrival, a call again whenever more of it is known."""
    limit = row_limit(parameters, 1000)
    narrow, given = _conditions(parameters, _CALL_FILTERS)
    late, more = _conditions(parameters, _VERSION_FILTERS)
    if "session" in parameters:
        narrow, given = [*narrow, "session = {session:String}"], {**given, "session": _session(engine, parameters)}
    order = "arrived" if "after" in parameters else "at DESC, position DESC"
    versions = f"SELECT * FROM records WHERE {' AND '.join(['kind = {kind:String}', *narrow])} {_LATEST}"
    statement = (
        f"SELECT document, arrived, {CURSOR} AS cursor, {STEADY} AS at FROM ({versions}) WHERE {' AND '.join(['true', *late])}"
        f" ORDER BY {order} LIMIT {{limit:UInt64}}"
    )
    rows = engine.rows(statement, {**given, **more, **clocks(engine), **settled(engine), "kind": "call", "limit": limit})
    found = [json.loads(row["document"]) | {"cursor": row["cursor"], "at": rfc3339(row["at"])} for row in rows]
    return _with_bodies(engine, found if "after" in parameters else found[::-1], flag(parameters, "bodies"))


def connections_list(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session`, `limit` (default 1000) → the session's connections, the newest of them, oldest first, each with `exe` and `pid`."""
    session = _session(engine, parameters)
    limit = row_limit(parameters, 1000)
    processes = {process["id"]: process for process in merged(engine, session, ["process"]) if "id" in process}
    found = merged(engine, session, ["connection"])[-limit:]
    return [_of_process(one, processes.get(one["process"], {})) for one in found]


def _of_process(connection: dict[str, Any], process: Mapping[str, Any]) -> dict[str, Any]:
    return {**connection, "exe": process.get("exe", ""), "pid": process.get("pid", 0)}


def replay(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session`, `bodies` → all that happened, in order of time: {at, kind, document}; see store/timeline.py."""
    found = moments(engine, _session(engine, parameters))
    documents = _with_bodies(engine, [moment["document"] for moment in found], flag(parameters, "bodies"))
    return [{**moment, "document": document} for moment, document in zip(found, documents, strict=True)]


def status(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """Nothing → one row: {counts by kind, size on disk, notes}, and of who answers {version, pid, uptime_s, refusal} (store/opened.py).
    `notes`: the newest of what is wrong and belongs to no session, newest last."""
    counts = engine.rows("SELECT kind, uniqExact(session, id) AS count FROM records GROUP BY kind ORDER BY kind")
    size = engine.rows("SELECT sum(bytes_on_disk) AS size FROM system.parts WHERE active AND database = currentDatabase()")
    statement = f"SELECT document FROM ({_STRAY}) ORDER BY {STEADY} DESC LIMIT {{limit:UInt64}}"
    notes = [json.loads(row["document"]) for row in engine.rows(statement, {"limit": NOTES, **clocks(engine)})]
    return [{"counts": {row["kind"]: row["count"] for row in counts}, "size": size[0]["size"], "notes": notes[::-1]}]


NOTES = 20
_STRAY = "SELECT * FROM records WHERE kind = 'note' AND session = '' AND NOT complete ORDER BY id LIMIT 1 BY id"


def verdicts_list(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session since until call id rule action severity`, `limit` → the newest verdicts, oldest first; see store/judgements.py."""
    known = {"session": _session(engine, parameters)} if "session" in parameters else {}
    return judgements.verdicts_list(engine, {**parameters, **known})


def events_list(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session` → see store/judgements.py; the first row is {session: its document}."""
    session = _session(engine, parameters)
    return [{"session": judgements.session_document(engine, session)}, *judgements.events_list(engine, session)]


def events_documents(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session`, `things`, `pieces` → their documents; see store/judgements.py."""
    return judgements.events_documents(engine, parameters, _session(engine, parameters))


_FILTERS = frozenset(_CALL_FILTERS) | frozenset(_VERSION_FILTERS)
QUESTIONS: dict[str, tuple[Callable[[Engine, Mapping[str, Any]], Rows], frozenset[str]]] = {
    "sessions.list": (sessions_list, frozenset(_SESSION_FILTERS) | {"limit"}),
    "sessions.activity": (sessions_activity, frozenset({"since", "until"})),
    "sessions.show": (sessions_show, frozenset({"session"})),
    "session.summary": (session_summary, frozenset({"session"})),
    "calls.list": (calls_list, _FILTERS | {"session", "limit", "bodies"}),
    "connections.list": (connections_list, frozenset({"session", "limit"})),
    "verdicts.list": (verdicts_list, judgements.VERDICT_PARAMETERS),
    "approvals.list": (approvals_list, APPROVALS),
    "glass.list": (glass_list, GLASS),
    "policies.history": (policies_history, POLICIES),
    "sessions.open": (sessions_open, frozenset()),
    "rules.counts": (rules_counts, frozenset()),
    "events.list": (events_list, frozenset({"session"})),
    "events.documents": (events_documents, frozenset({"session", "things", "pieces"})),
    "accesses.list": (accesses_list, ACCESS_PARAMETERS),
    "containers.open": (containers_open, frozenset()),
    "unread.list": (unread_list, frozenset({"hours"})),
    "replay": (replay, frozenset({"session", "bodies"})),
    "status": (status, frozenset()),
}


def ask(engine: Engine, name: str, parameters: str) -> Rows:
    """Answer a named question; `parameters` is a JSON object. QuestionError when there is no such question or parameter."""
    if name not in QUESTIONS:
        raise QuestionError(f"no question is called {name!r}; there are {', '.join(QUESTIONS)}")
    question, allowed = QUESTIONS[name]
    return question(engine, parameters_in(parameters, allowed))


def _conditions(parameters: Mapping[str, Any], filters: Mapping[str, tuple[str, str]]) -> tuple[list[str], dict[str, Parameter]]:
    given = bound(parameters, {key: kind for key, (kind, _) in filters.items()})
    return [filters[key][1] for key in given], given


def _session(engine: Engine, parameters: Mapping[str, Any]) -> str:
    if parameters.get("session") == "latest":
        statement = f"SELECT session FROM records WHERE kind = 'session' ORDER BY {STEADY} DESC, session LIMIT 1"
        given, wanted = "", "latest"
    elif "session" in parameters:
        statement, given = "SELECT DISTINCT session FROM records WHERE kind = 'session' AND startsWith(session, {given:String}) LIMIT 2", ""
        given = wanted = identifier(parameters, "session")
    else:
        raise QuestionError("a session is needed: its id or the beginning of it")
    found = engine.rows(statement, {"given": given, **clocks(engine)})
    if len(found) != 1:
        raise QuestionError(f"{'no session is' if not found else 'several sessions are'} called {wanted!r}")
    return str(found[0]["session"])


def _with_bodies(engine: Engine, documents: Iterable[dict[str, Any]], wanted: bool) -> Rows:
    documents = list(documents)
    if not wanted:
        return [bodies.without_data(document) for document in documents]
    return bodies.with_bodies(engine, documents)
