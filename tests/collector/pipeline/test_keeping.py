"""What is kept of bodies by a policy, through the pipeline: rules read all of them, the recording has what it may."""

import json

import pytest
from support.canaries import PLACES, SECRET
from support.conversations import Conversation
from support.judged_events import CALL, body
from support.judging import judged_pipeline
from support.policies import HEAD

from chaperone.collector.pipeline.keeping import kept
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged
from chaperone.collector.rules.terms import Bodies
from chaperone.collector.store.rows import Kind, Row

RULES = """rules:
- {name: reads-request, when: 'has(call.body.metadata) && call.body.metadata.name == "one"', do: alert}
- {name: reads-channel, when: 'channel.text.contains("there")', do: alert}
"""


def recorded(bodies: str, *places: str) -> tuple[list[Row], list[str]]:
    """The rows of these places, and which rules fired."""
    rules = arranged(policies(f"{HEAD}bodies: {bodies}\n{RULES}", "policy.yaml"))
    pipeline, rows = judged_pipeline(rules)
    for place in places:
        one = Conversation(place)
        for record in (*one.begun(), *(one.chunk(side, data) for side, data in PLACES[place]), *one.ended()):
            pipeline.take(record, 0)
        pipeline.marks()
    return rows, sorted({row.document["rule"] for row in rows if row.kind is Kind.VERDICT})


@pytest.mark.parametrize("bodies", list(Bodies))
def test_rules_read_what_the_recording_does_not_keep(bodies: Bodies) -> None:
    rows, fired = recorded(bodies, "Secret created, JSON", "stdout, a token")
    assert fired == ["reads-channel", "reads-request"]
    calls = [row.document for row in rows if row.kind is Kind.CALL and row.document["phase"] == "end"]
    pieces = [row.document["body"] for row in rows if row.kind is Kind.PIECE]
    sent = calls[0]["requestBody"]
    if bodies is Bodies.MASKED:
        assert json.loads(sent["data"])["kind"] == "Secret" and any(piece["data"] for piece in pieces)
    elif bodies is Bodies.METADATA:
        assert (sent["data"], sent["kind"], sent["size"], sent["masked"]) == (None, "Secret", len(json.dumps(SECRET)), 1)
        assert pieces and all(piece["data"] is None for piece in pieces) and sum(piece["size"] for piece in pieces) > 50
    else:
        assert sent is None and calls[0]["responseBody"] is None and pieces == []
    assert (b"opaque" in json.dumps([row.document for row in rows]).encode()) is (bodies is Bodies.MASKED)


def test_only_bodies_are_concerned() -> None:
    call = Row(Kind.CALL, "s", "c", 4, 0, 0, CALL | {"requestBody": body({"a": 1})})
    note = Row(Kind.NOTE, "s", "n", 1, 0, 0, {"text": "x"})
    assert kept(note, Bodies.NONE) is note and kept(call, Bodies.MASKED) is call
    found = kept(call, Bodies.METADATA)
    assert found is not None and {key for key in CALL if found.document[key] != call.document[key]} == {"requestBody"}
