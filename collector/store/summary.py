"""What a session amounts to: its calls, its bytes, and whether anything is missing."""

import json
from typing import Any

from chaperone.collector.store.engine import Engine


def merged(engine: Engine, session: str, kinds: list[str]) -> list[dict[str, Any]]:
    """The documents of some kinds, each thing's versions laid over one another, in order of time.

    A later version of a process or stream has only what it adds; a call's has all.
    """
    statement = (
        "SELECT kind, id, document FROM records WHERE session = {session:String} AND kind IN {kinds:Array(String)}"
        " ORDER BY min(boot_time) OVER (PARTITION BY kind, id), kind, id, phase, position"
    )
    things: dict[tuple[str, str], dict[str, Any]] = {}
    for row in engine.rows(statement, {"session": session, "kinds": kinds}):
        thing = things.setdefault((row["kind"], row["id"]), {})
        thing.update(json.loads(row["document"]))
    return list(things.values())


def summary(engine: Engine, session: str) -> dict[str, Any]:
    """The session's document (without the texts of its policies) and {calls, exchanges, processes, verdicts {action: count}, notCarriedOut,
    bytes {out, in}, complete, missing}.

    `missing` is a list of sentences; a session that has not ended is never complete.
    """
    documents = merged(engine, session, ["session"])
    counts = _counts(engine, session)
    missing = _missing(engine, session)
    ended = bool(documents and documents[0].get("ended"))
    return {
        **(_without_texts(documents[0]) if documents else {"id": session}),
        "calls": counts.get("call", 0),
        "exchanges": counts.get("exchange", 0),
        "processes": counts.get("process", 0),
        **_verdicts(engine, session),
        "bytes": _bytes(engine, session),
        "complete": ended and not missing,
        "missing": missing if ended else [*missing, "the session has not ended"],
    }


def _without_texts(session: dict[str, Any]) -> dict[str, Any]:
    if "policies" not in session:
        return session
    kept = [policy for policy in session["policies"] if isinstance(policy, dict)]  # earlier versions kept bare texts, which are not shown
    return {**session, "policies": [{name: value for name, value in policy.items() if name != "text"} for policy in kept]}


# An exchange that turned out to be Kubernetes by its answer goes on as a call with the same id: the latest version counts.
_NEWEST = (
    "SELECT * FROM records WHERE session = {session:String} AND kind IN ('call', 'exchange', 'stream', 'process')"
    " ORDER BY id, phase DESC, position DESC LIMIT 1 BY id"
)


def _counts(engine: Engine, session: str) -> dict[str, int]:
    rows = engine.rows(f"SELECT kind, count() AS count FROM ({_NEWEST}) GROUP BY kind", {"session": session})
    return {row["kind"]: row["count"] for row in rows}


def _verdicts(engine: Engine, session: str) -> dict[str, Any]:
    """How many of each action, and how many that should have had an effect were only recorded."""
    once = "SELECT document FROM records WHERE session = {session:String} AND kind = 'verdict' LIMIT 1 BY id"
    undone = "JSONExtractString(document, 'effective') = 'enforce' AND JSONExtractString(document, 'notCarriedOut') != ''"
    columns = f"JSONExtractString(document, 'action') AS action, count() AS count, countIf({undone}) AS undone"
    statement = f"SELECT {columns} FROM ({once}) GROUP BY action ORDER BY action"
    rows = engine.rows(statement, {"session": session})
    return {"verdicts": {row["action"]: row["count"] for row in rows}, "notCarriedOut": sum(row["undone"] for row in rows)}


def _bytes(engine: Engine, session: str) -> dict[str, int]:
    """A closed stream knows its length; of an open one what its exchanges say."""
    columns = ", ".join(
        f"sumIf(bytes_{way}, kind = 'stream') AS whole_{way}, sumIf(bytes_{way}, kind IN ('call', 'exchange')) AS part_{way}"
        for way in ("out", "in")
    )
    streams = f"SELECT max(kind = 'stream' AND phase = 4) AS closed, {columns} FROM ({_NEWEST}) GROUP BY stream"
    statement = f"SELECT sum(if(closed, whole_out, part_out)) AS out, sum(if(closed, whole_in, part_in)) AS in FROM ({streams})"
    row = engine.rows(statement, {"session": session})[0]
    return {"out": row["out"], "in": row["in"]}


def _missing(engine: Engine, session: str) -> list[str]:
    return [*_unfinished(engine, session), *_lost(engine, session), *_noted(engine, session)]


def _unfinished(engine: Engine, session: str) -> list[str]:
    unfinished = "kind IN ('call', 'exchange') AND (NOT complete OR phase < 4)"
    statement = f"SELECT kind, count() AS count FROM ({_NEWEST}) WHERE {unfinished} GROUP BY kind ORDER BY kind"
    return [_several(row["count"], row["kind"], "incomplete") for row in engine.rows(statement, {"session": session})]


def _lost(engine: Engine, session: str) -> list[str]:
    statement = (
        "SELECT kind, JSONExtractString(document, 'cause') AS cause, sum(JSONExtractUInt(document, 'size')) AS size, count() AS count"
        " FROM (SELECT * FROM records WHERE session = {session:String} AND kind IN ('loss', 'gap') AND NOT complete LIMIT 1 BY kind, id)"
        " GROUP BY kind, cause ORDER BY kind, cause"
    )
    return [_loss(row) for row in engine.rows(statement, {"session": session})]


def _loss(row: dict[str, Any]) -> str:
    if row["kind"] == "loss":
        return f"{row['size']} bytes lost: {row['cause']}"
    return f"{_several(row['count'], 'stretch', 'unreadable')}: {row['cause']}"


def _noted(engine: Engine, session: str) -> list[str]:
    statement = (
        "SELECT DISTINCT JSONExtractString(document, 'subject') AS subject, JSONExtractString(document, 'text') AS text FROM records"
        " WHERE session = {session:String} AND kind = 'note' AND NOT complete ORDER BY subject, text LIMIT 100"
    )
    return [f"{row['subject']}: {row['text']}" for row in engine.rows(statement, {"session": session})]


def _several(count: int, what: str, state: str) -> str:
    plural = f"{what}es" if what.endswith("ch") else f"{what}s"
    return f"1 {what} is {state}" if count == 1 else f"{count} {plural} are {state}"
