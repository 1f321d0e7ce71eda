"""Alerts end to end: records of an agent, rules, the outbox and real receivers, with a real collector that is killed."""

import json
import os
import random
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.certificates import authority
from support.collectors import acked, ask, batch, collector, hello, kill, send, start, stop, talk
from support.conversations import Conversation, pods
from support.leaks import encodings, leaks_in
from support.receivers import Server, serving, until

from chaperone.proto import capture_pb2 as pb

CANARY = "canary-7c2e91-s3cr3t"
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
rules:
- name: pods-listed
  when: call.verb == "list" && call.resource == "pods"
  do: alert
  severity: high
  message: "list by {process.command} of {call.query} in {call.uri}"
- name: secret-written
  when: call.resource == "secrets" && call.write
  do: deny
  severity: critical
  message: "{call.method} {call.dataKeys} by {session.command}"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path / "policy.yaml"


def receivers(tmp_path: Path, *servers: Server, more: str = "") -> Path:
    """A file with a webhook for each server, and the first one as Slack too."""
    lines = [f"- name: hook{n}\n  webhook: {{url: '{s.url}', key: {'k' * 32}, timeout: 60s{more}}}" for n, s in enumerate(servers)]
    (tmp_path / "alerts.yaml").write_text("apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers:\n" + "\n".join(lines))
    return tmp_path / "alerts.yaml"


def options(policy: Path, alerts: Path | None = None) -> list[str]:
    return ["--no-default-policy", "--policy", str(policy), *(["--alerts", str(alerts)] if alerts else [])]


def conversation(calls: int, name: str = "one") -> list[pb.Upward]:
    """A session in batches: its beginning, one call each, its end."""
    one = Conversation(name)
    exchanges = [one.exchange(f"/api/v1/namespaces/default/pods?n={n}", pods()) for n in range(calls)]
    return [batch(number, group) for number, group in enumerate([one.begun(), *exchanges, one.ended()], 1)]


def shown(command: str) -> str:
    """What a command that an alert names prints."""
    argv = shlex.split(command)
    done = subprocess.run([Path(sys.executable).with_name(argv[0]), *argv[1:]], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def told(server: Server) -> int:
    """How many alerts in all were told, one that was told twice counted once."""
    documents = {document["id"]: document for document in server.documents()}
    return sum(entry["new"] for document in documents.values() for entry in document["alerts"])


def test_a_matching_call_reaches_people_and_the_list(tmp_path: Path, policy: Path) -> None:
    ca, context = authority(tmp_path)
    with serving(tls=context) as server:
        alerts = receivers(tmp_path, server, more=f", caFile: {ca}")
        with collector(tmp_path / "store", *options(policy, alerts)):
            send(tmp_path / "store", [hello(), *conversation(1)])
            [document] = until(server.documents)
            [entry] = document["alerts"]
            found = entry["alert"]
            assert (found["rule"], found["severity"], found["what"]["resource"]) == ("pods-listed", "high", "pods")
            assert found["message"] == "list by kubectl get pods of n=0 in /api/v1/namespaces/default/pods?n=0"
            assert (found["process"]["pid"], found["who"]["asked"], found["who"]["node"]) == (4242, "tester", "node")
            [listed] = until(lambda: [row for row in ask(tmp_path / "store", "alerts.list") if row["deliveries"][0]["state"] == "told"])
            assert listed["id"] == found["id"] == document["id"]
            assert found["what"]["uri"] in shown(found["inspect"])
            assert "GET /api/v1/namespaces/default/pods?n=0" in shown(found["inspect"])
            assert "session" in shown(f"{found['replay']} --speed 1000x")


def test_what_should_be_denied_is_told_too_with_how_it_is_meant(tmp_path: Path, policy: Path) -> None:
    one = Conversation()
    body = json.dumps({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}, "data": {"a": "c2VjcmV0"}}).encode()
    call = [one.request("/api/v1/namespaces/n/secrets", "POST", body), one.answer({"kind": "Status"}, 201)]
    with serving() as server, collector(tmp_path / "store", *options(policy, receivers(tmp_path, server))):
        send(tmp_path / "store", [hello(), batch(1, one.begun()), batch(2, call), batch(3, one.ended())])
        [document] = until(server.documents)
        found = document["alerts"][0]["alert"]
        assert (found["action"], found["mode"], found["severity"]) == ("deny", "observe", "critical")


def test_a_dead_receiver_delays_no_ack(tmp_path: Path, policy: Path) -> None:
    with serving(-1) as dead, collector(tmp_path / "store", *options(policy, receivers(tmp_path, dead))):
        assert acked(send(tmp_path / "store", [hello(), *conversation(20)], timeout_s=60))[-1] == 22
        assert len(dead.got) <= 1
        [listed] = ask(tmp_path / "store", "alerts.list")
        assert listed["count"] == 20


def test_no_alert_is_lost_or_counted_twice_when_the_collector_is_killed(tmp_path: Path, policy: Path) -> None:
    store, messages, dice = tmp_path / "store", conversation(12), random.Random(os.urandom(8))
    with serving(200, 500, 0, 200) as server:
        alerts = receivers(tmp_path, server)
        for survived in range(3):
            process = start(store, *options(policy, alerts))
            wanted = 2 + 3 * survived

            def on_ack(number: int, process: Any = process, wanted: int = wanted) -> None:
                if number >= wanted:
                    time.sleep(dice.random() / 20)
                    process.kill()

            next_ = send(store, [hello()])[0].welcome.next_batch
            talk(store, [hello(), *messages[next_ - 1 :]], on_ack)
            kill(process)
        process = start(store, *options(policy))
        next_ = send(store, [hello()])[0].welcome.next_batch
        talk(store, [hello(), *messages[next_ - 1 :]])
        [listed] = ask(store, "alerts.list")
        assert listed["count"] == 12
        stop(process)
        process = start(store, *options(policy), "--exit-when-idle", "0.2")
        assert process.wait(60) == 0  # what waited to be told with more was told before it went
        assert process.stderr
        process.stderr.close()
        assert told(server) == 12


def test_an_idle_collector_ends_though_nobody_takes_its_alerts(tmp_path: Path, policy: Path) -> None:
    with serving(500) as server:
        ending = ["--exit-when-idle", "0.2", "--first-client", "60"]
        process = start(tmp_path / "store", *options(policy, receivers(tmp_path, server)), *ending)
        assert talk(tmp_path / "store", [hello(), *conversation(1)]) == (3, None)
        assert process.wait(60) == 0
        assert process.stderr and b"not delivered, tried again later: answered 500" in process.stderr.read()
        process.stderr.close()


def test_no_secret_is_in_a_message_the_outbox_or_the_log(tmp_path: Path, policy: Path) -> None:
    one = Conversation()
    token = f"Authorization: Bearer {CANARY}\r\nX-Api-Key: {CANARY}\r\n"
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}, "stringData": {"password": CANARY}}
    begun = one.begun("kubectl", "create", "secret", "generic", "x", f"--from-literal=password={CANARY}", f"--token={CANARY}")
    calls = [
        one.request(f"/api/v1/namespaces/n/secrets?token={CANARY}", "POST", json.dumps(secret).encode(), token),
        one.answer(secret, 201),
        one.request(f"/api/v1/namespaces/n/pods?labelSelector=x&token={CANARY}&password={CANARY}", headers=token),
        one.answer(pods()),
    ]
    with serving(200, 500, 0, 200) as hook, serving() as slack:
        alerts = receivers(tmp_path, hook)
        with alerts.open("a") as file:
            file.write(f"\n- name: team\n  slack: {{url: '{slack.url}'}}\n- name: lines\n  jsonl: {{file: {tmp_path}/lines}}\n")
        process = start(tmp_path / "store", *options(policy, alerts))
        send(tmp_path / "store", [hello(), batch(1, begun), batch(2, calls), batch(3, one.ended())])
        until(lambda: len(slack.got) == 2 and len({document["id"] for document in hook.documents()}) == 2)
        listed = json.dumps(ask(tmp_path / "store", "alerts.list"))
        process.terminate()
        _, log = process.communicate(timeout=60)
    sent = b"".join(got.body for got in [*hook.got, *slack.got])
    outbox = b"".join(path.read_bytes() for path in (tmp_path / "store").glob("alerts.sqlite*"))
    assert b"~masked-" in sent and b"secret-written" in outbox and b"pods-listed" in listed.encode() and b"alerts to hook0" in log
    everything = sent + outbox + listed.encode() + log + (tmp_path / "lines").read_bytes()
    assert leaks_in(everything, CANARY.encode()) == []
    assert leaks_in(everything + encodings(CANARY.encode())["url"], CANARY.encode())  # a planted one is found
    assert b"hook-s3cret" not in outbox + listed.encode() + log


@pytest.mark.parametrize(
    "text", ["kind: Alerting", "apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers: [{name: a, slack: {url: s3cret}}]"]
)
def test_a_bad_file_stops_a_collector_that_is_given_it(tmp_path: Path, policy: Path, text: str) -> None:
    (tmp_path / "alerts.yaml").write_text(text)
    with pytest.raises(AssertionError) as caught:
        start(tmp_path / "store", *options(policy, tmp_path / "alerts.yaml"))
    assert "alerts.yaml:" in str(caught.value) and "expected" in str(caught.value) and "s3cret" not in str(caught.value)
