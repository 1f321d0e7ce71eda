"""Judging through a real collector: verdicts while it is recorded, the same ones again from the store, and across deaths."""

import json
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support.collectors import ask, batch, collector, hello, kill, send, start
from support.conversations import Conversation
from support.leaks import leaks_in_store
from support.policies import EXAMPLE, HEAD

from chaperone.collector.cli.past import recorded
from chaperone.collector.cli.rules import judged
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged
from chaperone.proto.ids import ConnectionId
from chaperone.proto.records import Connection, Record, SessionStarted

CHAPERONE = Path(sys.executable).with_name("chaperone")
SECRETS = "/api/v1/namespaces/default/secrets"
SERVER = "192.0.2.1:6443"


def secrets(count: int) -> dict[str, Any]:
    items = [{"metadata": {"name": f"s{n}", "namespace": "default"}, "data": {"k": "c2VjcmV0LXZhbHVl"}} for n in range(count)]
    return {"kind": "SecretList", "apiVersion": "v1", "items": items}


def connected(one: Conversation, remote: str) -> Record:
    time = one.tick()
    return Connection(ConnectionId(f"{time:032x}"), one.session, one.process, time, 9, "192.0.2.9:40000", remote, "tcp")


def begun(one: Conversation, *texts: str) -> list[Record]:
    first, *rest = one.begun()
    assert isinstance(first, SessionStarted)
    told = SessionStarted(first.session, first.workload, first.time, first.user, first.argv, apiservers=(SERVER,), policies=texts)
    return [told, *rest]


def surge(one: Conversation, count: int = 12) -> list[Record]:
    return [connected(one, SERVER), *one.exchange(SECRETS, secrets(count)), connected(one, "198.51.100.7:443")]


def said(store: Path, **parameters: Any) -> list[tuple[str, str]]:
    """Rules and actions; these conversations have no credentials, which is not what is tested here."""
    found = ask(store, "verdicts.list", **parameters)
    return [(verdict["rule"], verdict["action"]) for verdict in found if verdict["rule"] != "anonymous-access"]


def again(store: Path, session: str) -> list[tuple[str, str, str]]:
    past = recorded(store, session)
    rules = arranged(policy for kept in past.session["policies"] for policy in policies(kept["text"], "policy"))
    return [(verdict.rule, verdict.evidence.subject, verdict.evidence.time) for verdict in judged(rules, past.events())]


def live(store: Path, policy: str = "agents") -> list[tuple[str, str, str]]:
    found = ask(store, "verdicts.list")
    return [(one["rule"], one["call"] or one["key"], one["time"]) for one in found if one["policy"] == policy]


def test_a_surge_of_secrets_then_an_egress_is_told_while_it_is_recorded(tmp_path: Path) -> None:
    one = Conversation()
    with collector(tmp_path):
        send(tmp_path, [hello(), batch(1, begun(one, EXAMPLE)), batch(2, surge(one))])
        assert said(tmp_path) == [("read-secrets", "alert"), ("secret-surge-then-egress", "alert")]
        [verdict] = ask(tmp_path, "verdicts.list", rule="secret-surge-then-egress")
        assert (verdict["subject"], verdict["about"], verdict["session"]) == ("egress", {"host": "198.51.100.7:443"}, one.session)
        assert verdict["process"]["exe"] == "/usr/bin/kubectl"
        assert again(tmp_path, one.session) == live(tmp_path)


def test_nine_secrets_or_the_apiserver_itself_are_no_surge_and_no_egress(tmp_path: Path) -> None:
    one, two = Conversation(), Conversation("two")
    with collector(tmp_path):
        few = [*surge(one, 9), *one.ended()]
        only = [*two.exchange(SECRETS, secrets(12)), connected(two, SERVER), *two.ended()]
        send(tmp_path, [hello(), batch(1, [*begun(one, EXAMPLE), *few]), batch(2, [*begun(two, EXAMPLE), *only])])
        assert {rule for rule, _ in said(tmp_path)} == {"read-secrets"}


def test_a_deny_is_recorded_and_says_that_nobody_carried_it_out(tmp_path: Path) -> None:
    one = Conversation()
    with collector(tmp_path):
        exec_ = one.request("/api/v1/namespaces/default/pods/web/exec?command=sh", "POST")
        send(tmp_path, [hello(), batch(1, [*begun(one, EXAMPLE), exec_])])
        [verdict] = ask(tmp_path, "verdicts.list", action="deny")
        assert (verdict["rule"], verdict["effective"], verdict["moment"]) == ("no-privileged-exec", "enforce", "request")
        assert verdict["message"] == "exec into privileged pod default/web by /usr/bin/kubectl"
        assert "was only recorded" in verdict["notCarriedOut"]
        assert verdict["call"] == ask(tmp_path, "calls.list")[0]["id"]
        [session] = ask(tmp_path, "sessions.list")
        assert (session["verdicts"]["deny"], session["notCarriedOut"]) == (1, 1)
        assert session["policies"] == [{"digest": sha256(EXAMPLE.encode()).hexdigest(), "masked": False}]
        assert [(one["policy"], one["from"]) for one in session["governedBy"]] == [("default", "collector"), ("agents", "run")]


def test_what_rules_remember_survives_a_kill_between_surge_and_egress(tmp_path: Path) -> None:
    one = Conversation()
    records = surge(one)
    messages = [batch(1, begun(one, EXAMPLE)), batch(2, records[:3]), batch(3, records[3:]), batch(4, one.ended())]
    process = start(tmp_path)
    send(tmp_path, [hello(), *messages[:2]])
    kill(process)
    with collector(tmp_path):
        send(tmp_path, [hello(), *messages[2:]])
        assert said(tmp_path, rule="secret-surge-then-egress") == [("secret-surge-then-egress", "alert")]
        assert again(tmp_path, one.session) == live(tmp_path)


def test_what_an_agent_says_again_after_a_kill_is_not_counted_twice(tmp_path: Path) -> None:
    one = Conversation()
    records = surge(one, 6)  # twice six would be a surge
    messages = [batch(1, begun(one, EXAMPLE)), batch(2, records[:3])]
    process = start(tmp_path)
    send(tmp_path, [hello("first"), *messages])
    kill(process)
    with collector(tmp_path):  # an agent that never heard of the acks
        send(tmp_path, [hello("second"), *messages, batch(3, records[3:])])
        assert said(tmp_path, rule="secret-surge-then-egress") == []
        assert len(said(tmp_path, rule="read-secrets")) == 1


def test_a_secret_in_a_policy_is_nowhere_in_the_store_and_judges_as_written_also_after_a_kill(tmp_path: Path) -> None:
    one, secret = Conversation(), "hunter2xQ9wbv"
    rule = f"""- {{name: looks, when: 'call.path.endsWith("/password={secret}") || call.verb == "list"', do: alert}}"""
    process = start(tmp_path)
    send(tmp_path, [hello(), batch(1, begun(one, f"{HEAD}rules:\n{rule}\n# the password: {secret}\n"))])
    kill(process)
    with collector(tmp_path):
        send(tmp_path, [hello(), batch(2, one.exchange(SECRETS, secrets(1))), batch(3, one.ended())])
        assert said(tmp_path, rule="looks") == [("looks", "alert")]
        [kept] = recorded(tmp_path, one.session).session["policies"]
        assert kept["masked"] and "~masked-13-" in kept["text"]
        [call] = ask(tmp_path, "calls.list")
        command = [CHAPERONE, "rules", "explain", call["id"], "--store", tmp_path]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert told.startswith(f"policy {kept['digest'][:12]}: a secret in its text was masked when it was kept")
        assert {line.split()[0] for line in told.splitlines()} >= {"looks", "read-secrets"}
    assert leaks_in_store(tmp_path, secret.encode()) == []


PODS = (
    HEAD.replace("agents", "pods")
    + """selector: {namespaces: [agents], labels: {app: "*"}}
mode: record
rules:
- {name: lists, when: call.verb == "list", do: deny, enforce: enforce, onUnknown: skip}
"""
)


def of_a_pod(one: Conversation, namespace: str, **labels: str) -> list[Record]:
    first, *rest = one.begun()
    assert isinstance(first, SessionStarted)
    facts: dict[str, Any] = {"namespace": namespace, "pod": "coder", "container": "main", "service_account": "coder", "labels": labels}
    return [SessionStarted(first.session, first.workload, first.time, node="n", **facts), *rest]


def test_a_policy_for_pods_judges_those_it_selects_also_behind_a_restart_and_when_it_changes(tmp_path: Path) -> None:
    policy, store = tmp_path / "policy.yaml", tmp_path / "store"
    policy.write_text(PODS)
    raised, plain, other, run = (Conversation(name) for name in ("raised", "plain", "other", "run"))
    sessions = {
        raised.session: of_a_pod(raised, "agents", app="coder", **{"chaperone.dev/govern": "enforce"}),
        plain.session: of_a_pod(plain, "agents", app="coder"),
        other.session: of_a_pod(other, "prod", app="coder"),
        run.session: run.begun(),
    }
    options = ("--policy", str(policy), "--no-default-policy")
    with collector(store, *options):
        send(store, [hello(), *(batch(number, records) for number, records in enumerate(sessions.values(), 1))])
        assert modes(store) == {raised.session: ["enforce"], plain.session: ["record"], other.session: [], run.session: []}
    with collector(store, *options):
        talks = [talk.exchange(SECRETS, secrets(1)) for talk in (raised, plain, other, run)]
        send(store, [hello(), *(batch(number, records) for number, records in enumerate(talks, 5))])
        found = {verdict["session"]: verdict["effective"] for verdict in ask(store, "verdicts.list")}
        assert found == {raised.session: "enforce", plain.session: "observe"}
        before = versions(store)
        assert before == {raised.session: 1, plain.session: 1}, "a restart says nothing new"
        policy.write_text(PODS.replace("namespaces: [agents]", "namespaces: [prod]"))
        wait_for(store, lambda status: status["loads"] == 2)
        send(store, [hello(), batch(9, plain.exchange(SECRETS, secrets(1)))])
        assert modes(store) == {raised.session: [], plain.session: [], other.session: ["record"], run.session: []}
        assert len(ask(store, "sessions.list")) == 4


def modes(store: Path) -> dict[str, list[str]]:
    """By which policy modes each session is judged, as it is shown."""
    return {one["id"]: [policy["mode"] for policy in one.get("governedBy", [])] for one in ask(store, "sessions.list")}


def versions(store: Path) -> dict[str, int]:
    return {one["id"]: one["governedAt"] for one in ask(store, "sessions.list") if "governedAt" in one}


@pytest.mark.parametrize(("bodies", "shown"), [("metadata", "SecretList"), ("none", "")])
def test_bodies_that_are_not_kept_are_shown_as_such(bodies: str, shown: str, tmp_path: Path) -> None:
    one = Conversation()
    with collector(tmp_path):
        records = [*begun(one, EXAMPLE.replace("rules:", f"bodies: {bodies}\nrules:")), *surge(one), *one.ended()]
        send(tmp_path, [hello(), batch(1, records)])
        assert ("secret-surge-then-egress", "alert") in said(tmp_path), "rules read them"
        [call] = ask(tmp_path, "calls.list")
        done = subprocess.run(
            [CHAPERONE, "calls", "show", call["id"], "--store", tmp_path], capture_output=True, text=True, timeout=60, check=True
        )
        assert shown in done.stdout and "~masked-" not in done.stdout and '"items"' not in done.stdout
        rules = arranged(policies(EXAMPLE, "policy"))
        assert [verdict.rule for verdict in judged(rules, recorded(tmp_path, one.session).events())] in ([], ["secret-surge-then-egress"])


def test_a_policy_of_a_run_that_is_wrong_is_noted_and_the_default_rules_go_on(tmp_path: Path) -> None:
    one = Conversation()
    with collector(tmp_path):
        send(tmp_path, [hello(), batch(1, begun(one, EXAMPLE.replace("target.privileged", "target.big"))), batch(2, surge(one))])
        assert said(tmp_path) == [("read-secrets", "alert")]
        notes = ask(tmp_path, "sessions.show", session=one.session)[0]["notes"]
        assert any("policy:6: rules[0].when" in note["text"] for note in notes), notes


def test_rules_are_read_again_without_a_restart_and_a_bad_file_is_refused_whole(tmp_path: Path) -> None:
    policy, store = tmp_path / "policy.yaml", tmp_path / "store"
    policy.write_text(EXAMPLE)
    with collector(store, "--policy", str(policy), "--no-default-policy") as process:
        before = status(store)
        assert (before["rules"], before["problem"]) == (2, "")
        policy.write_text(EXAMPLE.replace("do: deny", "do: refuse"))
        refused = wait_for(store, lambda found: found["problem"])
        assert f"{policy}:7: rules[0].do: expected one of" in refused["problem"]
        assert (refused["digest"], refused["refused"]) == (before["digest"], 1)
        policy.write_text(EXAMPLE + "- {name: any, when: 'call.verb != \"\"', do: alert}\n")
        assert wait_for(store, lambda found: found["rules"] == 3)["problem"] == ""
        one = Conversation()
        send(store, [hello(), batch(1, one.begun()), batch(2, one.exchange("/api/v1/pods", {"kind": "PodList", "items": []}))])
        assert said(store) == [("any", "alert")]
        process.send_signal(1)
        assert wait_for(store, lambda found: found["loads"] == 3)


@pytest.mark.parametrize("option", ["--policy", "--alerts"])
def test_a_collector_with_a_bad_file_does_not_start(option: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: []")
    command = [sys.executable, "-m", "chaperone.collector", "--store", str(tmp_path / "store"), option, str(policy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"chaperone collector: {policy}:1: "), done.stderr


def status(store: Path) -> dict[str, Any]:
    [found] = ask(store, "rules.status")
    return found


def wait_for(store: Path, condition: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while not condition(found := status(store)):
        assert time.monotonic() < deadline, json.dumps(found)
        time.sleep(0.1)
    return found
