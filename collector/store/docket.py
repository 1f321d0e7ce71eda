"""What judging goes on from: what was judged of late, what rules still remember, and the calls that may be judged further.

Of sittings (store/verdicts.py) only that leaves the engine, and no more of it than a judge keeps, whatever the store holds:

| what | at most | over that |
| --- | --- | --- |
| sittings looked at | the newest SITTINGS | as below |
| names of judged events | the newest EVENTS | what comes once more counts once more |
| changes of a rule's window or wait | the newest ENTRIES (rules/memory.py), or 1 | nothing: it holds no more |
| changes of one workload, of all | the newest OF_ONE, CHANGES | counts may be too low, never too high |
| open calls | the newest CALLS | known by name as judged, not by what they said |

To find the newest, the engine reads two numbers of each row of the horizon; it reads documents of the chosen ones only.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from chaperone.collector.rules.memory import ENTRIES
from chaperone.collector.store.arrivals import lately
from chaperone.collector.store.bodies import with_bodies
from chaperone.collector.store.clock import STEADY, clocks
from chaperone.collector.store.engine import Engine, Parameter
from chaperone.collector.store.recall import LATELY, OPEN

SITTINGS = 500_000
EVENTS = 50_000  # as many as a judge knows of all sessions
OF_ONE, CHANGES = 20_000, 200_000
CALLS = 10_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """Changes of one workload's memory (rules/changes.py), in order, as one session's rules made them."""

    session: str
    scope: str
    changes: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Docket:
    """`done`: session, subject, key and moment of judged events, in order; `remembered`: in order; `calls`: documents of open calls."""

    done: list[tuple[str, str, str, int]] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def of(self, sessions: Collection[str]) -> "Docket":
        """That of these sessions only."""
        done = [one for one in self.done if one[0] in sessions]
        remembered = [one for one in self.remembered if one.session in sessions]
        return Docket(done, remembered, [call for call in self.calls if call["session"] in sessions])


_RECENT = (
    f"kind = 'judged' AND ({{boot:String}} = '' OR session IN ({OPEN})) AND"
    f" ({LATELY} OR {STEADY} >= (SELECT max({STEADY}) FROM records WHERE kind = 'judged') - {{horizon:Int64}})"
)
_CHOSEN = (
    f"{_RECENT} AND arrived >="
    f" (SELECT min(arrived) FROM (SELECT arrived FROM records WHERE {_RECENT} ORDER BY arrived DESC LIMIT {{sittings:UInt64}}))"
)
_NEWEST = "ORDER BY arrived DESC, at DESC"
_EVENTS = "JSONExtract(document, 'events', 'Array(Tuple(String, String, UInt8))')"
_MEMORY = "JSONExtractArrayRaw(document, 'memory')"

_DONE = f"""
SELECT session, event.1 AS subject, event.2 AS key, event.3 AS moment FROM
(
    SELECT session, arrived, at, event FROM records
    ARRAY JOIN {_EVENTS} AS event, arrayEnumerate({_EVENTS}) AS at
    WHERE {_CHOSEN} {_NEWEST} LIMIT {{events:UInt64}}
)
ORDER BY arrived, at
"""

# Narrowed from the inside out: of a wait the newest change, of a sitting that was written twice one; of each window, each workload, all.
_CHANGES = f"""
SELECT session, scope, change FROM
(
    SELECT * FROM
    (
        SELECT * FROM
        (
            SELECT session, id, arrived, at, change, JSONExtractString(document, 'scope') AS scope,
                JSONExtract(change, 'Tuple(String, String, String, String, String)') AS told, told.5 IN ('arm', 'disarm') AS waits,
                (scope, told.1, told.2, told.3, told.4) AS whose,
                waits ? toString((whose, '')) : toString((session, id, at)) AS alone
            FROM records
            ARRAY JOIN {_MEMORY} AS change, arrayEnumerate({_MEMORY}) AS at
            WHERE {_CHOSEN} AND NOT endsWith(document, '"memory":[]}}')
            {_NEWEST} LIMIT 1 BY alone
        )
        {_NEWEST} LIMIT {ENTRIES} BY whose, waits
    )
    {_NEWEST} LIMIT {{of_one:UInt64}} BY scope LIMIT {{changes:UInt64}}
)
ORDER BY arrived, at
"""

_CALLS = f"""
SELECT document FROM
(
    SELECT document, phase, arrived FROM records WHERE kind = 'call' AND session IN ({OPEN})
    ORDER BY session, id, phase DESC, position DESC LIMIT 1 BY session, id
)
WHERE phase < 4 ORDER BY arrived DESC LIMIT {{calls:UInt64}}
"""


def docket(engine: Engine, horizon_ns: int, boot: str = "") -> Docket:
    """All of it, or that of one boot of a node. `horizon_ns`: how long the longest rule remembers."""
    given: dict[str, Parameter] = {"rows": lately(engine), "boot": boot}
    judged = given | {"horizon": horizon_ns, **clocks(engine)}
    return Docket(_done(engine, judged), _remembered(engine, judged), _calls(engine, given))


def _done(engine: Engine, given: Mapping[str, Parameter]) -> list[tuple[str, str, str, int]]:
    rows = engine.rows(_DONE, {**given, "sittings": EVENTS, "events": EVENTS})  # a sitting has at least one event
    return [(row["session"], row["subject"], row["key"], row["moment"]) for row in rows]


def _remembered(engine: Engine, given: Mapping[str, Parameter]) -> list[Remembered]:
    rows = engine.rows(_CHANGES, {**given, "sittings": SITTINGS, "of_one": OF_ONE, "changes": CHANGES})
    grouped = groupby(rows, key=lambda row: (row["session"], row["scope"]))
    return [Remembered(session, scope, [json.loads(row["change"]) for row in group]) for (session, scope), group in grouped]


def _calls(engine: Engine, given: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    rows = engine.rows(_CALLS, {**given, "calls": CALLS})
    return with_bodies(engine, [json.loads(row["document"]) for row in rows])
