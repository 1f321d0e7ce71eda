"""Whether an identity is used in a governed workload: then it is no approver, for whoever governs the workload might use it."""

import pwd

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.running import OPEN

_RUNS = (
    f"SELECT session FROM records WHERE kind = 'session' AND session IN ({OPEN})"
    " AND JSONExtractString(document, 'user') = {name:String} LIMIT 1"
)
_ACTS = (
    f"SELECT session FROM records WHERE kind = 'process' AND session IN ({OPEN}) GROUP BY session, id"
    " HAVING max(phase) < 4 AND argMax(JSONExtractInt(document, 'uid'), (phase, position)) = {uid:Int64} LIMIT 1"
)
_CALLS = (
    "SELECT session FROM records WHERE kind = 'call' AND time > now() - toIntervalDay(1) AND (code IS NULL OR code != 401)"
    " AND (user = {name:String} OR JSONExtractString(document, 'impersonated', 'user') = {name:String}) LIMIT 1"
)
_ACCOUNT = (
    f"SELECT session FROM records WHERE kind = 'session' AND session IN ({OPEN})"
    " AND JSONExtractString(document, 'lookedUp', 'serviceAccount') = {account:String} LIMIT 1"
)


def governed(engine: Engine, person: str) -> str:
    """Why `unix:NAME` or `user:NAME` can't decide now; "" when nothing is known against it."""
    kind, _, name = person.partition(":")
    rows = _of_machine(engine, name) if kind == "unix" else _of_cluster(engine, name)
    return f"{person} is used in a governed workload (session {rows[0]['session'][:12]}), and can't decide" if rows else ""


def _of_machine(engine: Engine, name: str) -> list[dict[str, str]]:
    runs = engine.rows(_RUNS, {"name": name})
    try:
        return runs or engine.rows(_ACTS, {"uid": pwd.getpwnam(name).pw_uid})
    except KeyError:
        return runs or (engine.rows(_ACTS, {"uid": int(name)}) if name.isdecimal() else [])


def _of_cluster(engine: Engine, name: str) -> list[dict[str, str]]:
    account = name.removeprefix("system:serviceaccount:")
    return engine.rows(_CALLS, {"name": name}) or engine.rows(_ACCOUNT, {"account": account if account != name else "-"})
