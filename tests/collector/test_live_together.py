"""Collectors of one database over mutual TLS, each with an agent: whichever is asked answers for all, and names the one that is gone."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import scripted_agent
from support.collectors import ask, batch, kill, start, stop
from support.receivers import free_port, until
from support.reviewing import ALICE, reviewing
from support.scripted_agent import ScriptedAgent, Tap
from support.shared_database import Shared
from support.tls_directories import SERVER, authority, tls_directory
from typer.testing import CliRunner

from chaperone.agent.deliver.line import line
from chaperone.collector.cli.app import app
from chaperone.collector.enforce import kills
from chaperone.collector.identity.caller import ADMINS, AGENTS, COLLECTORS
from chaperone.collector.identity.certificates import Pair, Subject
from chaperone.collector.store.directory import socket_target
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.query_pb2 import Question
from chaperone.proto.query_pb2_grpc import PeersStub, QueryStub
from chaperone.proto.records import BreakGlass, Outcome, Record

RUN = CliRunner().invoke
ROOT = Subject("root", (ADMINS,))
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
rules:
- name: cluster-roles
  when: call.resource == "clusterroles" && call.write
  do: approve
  enforce: enforce
  holdLimit: LIMIT
  approvals: 2
  approvers: ["user:root", "user:alice"]
  message: "{call.verb} {call.resource}"
- {name: no-exec, when: call.subresource == "exec", do: deny, enforce: enforce}
"""
RECEIVERS = """apiVersion: chaperone.dev/v1
kind: Alerting
receivers:
- name: lines
  jsonl: {file: /dev/null}
"""
EXEC = b"POST /api/v1/namespaces/a/pods/p/exec?command=sh HTTP/1.1\r\nHost: api:6443\r\nContent-Length: 0\r\n\r\n"
BODY = json.dumps({"kind": "ClusterRole", "metadata": {"name": "x"}})
REQUEST = (
    "POST /apis/rbac.authorization.k8s.io/v1/clusterroles HTTP/1.1\r\nHost: api:6443\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
).encode()


@dataclass(frozen=True, slots=True)
class Place:
    """`addresses`: of collectors; their stores are the folders 0 and 1, the agents of nodes n0 and n1 call one each."""

    folder: Path
    parent: Pair
    addresses: tuple[str, ...]
    by_token: tuple[str, ...]
    agents: list[ScriptedAgent]
    processes: "tuple[subprocess.Popen[bytes], ...]"
    alice: Path

    def tls(self, subject: Subject) -> Path:
        return tls_directory(self.folder / f"tls-{subject.name}", self.parent, subject)

    def said(self, number: int, *words: str, by: Subject = ROOT) -> str:
        """What a command says that asks this collector, by default as an administrator."""
        return said(["--server", self.addresses[number], "--tls", str(self.tls(by)), *words])

    def said_by_alice(self, number: int, *words: str) -> str:
        """By her token."""
        authority = str(self.folder / "tls" / "ca.crt")
        return said(["--server", self.by_token[number], "--ca", authority, "--kubeconfig", str(self.alice), *words])

    def document(self, number: int, *words: str) -> Any:
        return json.loads(self.said(number, *words, "-o", "json"))


def said(command: list[str]) -> str:
    done = RUN(app, command)
    return done.output + str(getattr(done.exception, "sentence", ""))


def agent_of(place: Path, name: str, node: str, limit: str = "60s") -> ScriptedAgent:
    return ScriptedAgent(place, (POLICY.replace("LIMIT", limit),), ("api:6443",), name, node)


@pytest.fixture
def place(tmp_path: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(scripted_agent, "batch", partial(batch, wall_offset=time.time_ns() - time.monotonic_ns()))
    parent, addresses, by_token = authority(), *(tuple(f"localhost:{free_port()}" for _ in range(2)) for _ in range(2))
    tls = tls_directory(tmp_path / "tls", parent, Subject("collector", (COLLECTORS,), SERVER.hosts))
    with reviewing(tmp_path) as (reviews, server):
        reviews.allowed.add(("alice", "approve", "approvals", ""))
        together = ["--tls", str(tls), "--collectors", ",".join(addresses), "--reviews", str(server.kubeconfig(tmp_path)), *shared.options]
        processes = tuple(
            start(tmp_path / str(number), "--listen", address, "--listen-tokens", tokens, "--this-collector", address, *together)
            for number, (address, tokens) in enumerate(zip(addresses, by_token, strict=True))
        )
        agents = [agent_of(tmp_path / str(number), f"held-{number}", f"n{number}") for number in range(2)]
        until(lambda: len(ask(tmp_path / "0", "sessions.open")) == 2)
        yield Place(tmp_path, parent, addresses, by_token, agents, processes, server.kubeconfig(tmp_path, ALICE))
    for agent in agents:
        agent.close()
    for process in processes:
        if process.poll() is None:
            assert stop(process) == 0


def test_whichever_is_asked_knows_all_nodes_and_workloads_and_names_the_one_that_is_gone(place: Place) -> None:
    for number in range(2):
        found = place.document(number, "status")
        assert [(one["collector"], one["nodes"]) for one in found["collectors"]] == [
            (address, [f"n{which}"]) for address, which in sorted(zip(place.addresses, range(2), strict=True))
        ]
        assert {one["effective"] for one in found["workloads"]} == {"enforce"} and len(found["workloads"]) == 2
        assert (found["missing"], place.document(number, "coverage")[0]["nodes"]) == ([], ["n0", "n1"])
    kill(place.processes[1])
    gone = f"collector {place.addresses[1]} did not answer (unavailable): its nodes are missing"
    assert f"Missing:     {gone}" in place.said(0, "status")
    assert f"Missing: {gone}" in place.said(0, "coverage")
    assert sorted(one["effective"] for one in place.document(0, "status")["workloads"]) == ["enforce", "nothing"]


def test_alerts_and_receivers_are_those_of_all(place: Place) -> None:
    file = place.folder / "alerts.yaml"
    file.write_text(f"{RECEIVERS}- name: down\n  webhook: {{url: 'http://127.0.0.1:{free_port()}/', key: {'k' * 16}}}\n")
    for number, agent in enumerate(place.agents):
        assert ask(place.folder / str(number), "alerts.use", file=str(file)) == [{"receiver": "lines"}, {"receiver": "down"}]
        tap = Tap(agent, 9)
        tap.bind("api:6443")
        assert tap.write(EXEC) != EXEC, "denied"
        tap.close()
    found = until(lambda: two if len(two := place.document(0, "alerts", "list", "--rule", "no-exec")) == 2 else None)
    assert place.document(1, "alerts", "list", "--rule", "no-exec") == found
    assert {one["who"]["node"]: {told["collector"] for told in one["deliveries"]} for one in found} == {
        f"n{number}": {address} for number, address in enumerate(place.addresses)
    }
    theirs = next(one["id"] for one in found if one["who"]["node"] == "n1")
    assert f"by {place.addresses[1]}" in place.said(0, "alerts", "show", theirs)
    assert place.said(0, "alerts", "ack", theirs[:12]) == "1 alert acknowledged\n"
    assert [one["id"] for one in place.document(1, "alerts", "list", "--rule", "no-exec", "--unacked")] == [
        one["id"] for one in found if one["id"] != theirs
    ]
    until(lambda: "Receivers:   2, failing: " + ", ".join(f"down ({one})" for one in place.addresses) in place.said(0, "status"))
    assert place.said(1, "alerts", "test", "--receiver", "lines").count("lines: sent by") == 2
    kill(place.processes[1])
    gone = f"collector {place.addresses[1]} did not answer (unavailable): its"
    assert f"Missing: {gone} alerts are missing\n" in place.said(0, "alerts", "list")
    assert f"Missing:     {gone} receivers are missing\n" in place.said(0, "status")


def test_only_collectors_ask_as_collectors_and_they_ask_nothing_else(place: Place) -> None:
    live = Question(name="live")
    for subject in (Subject("node", (AGENTS,)), ROOT, Subject("ann")):
        with line(place.addresses[0], place.tls(subject)) as channel, pytest.raises(grpc.RpcError) as caught:
            list(PeersStub(channel).Ask(live, timeout=20))
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED, subject
    with grpc.insecure_channel(socket_target(place.folder / "0")) as channel, pytest.raises(grpc.RpcError) as caught:
        list(PeersStub(channel).Ask(live, timeout=20))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED, "who may write the store's files is still no collector"
    with line(place.addresses[0], place.folder / "tls") as channel:
        assert len(list(PeersStub(channel).Ask(live, timeout=20))) == 1
        with pytest.raises(grpc.RpcError) as caught:
            list(QueryStub(channel).Ask(Question(name="status"), timeout=20))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@contextmanager
def asked(agent: ScriptedAgent, number: int) -> Iterator[Callable[[], bytes]]:
    """A client writes its request, on a connection of its own; what leaves in the end."""
    tap, left = Tap(agent, number), list[bytes]()
    tap.bind("api:6443")
    writing = threading.Thread(target=lambda: left.append(tap.write(REQUEST)), daemon=True)
    writing.start()

    def leaves() -> bytes:
        writing.join(60)
        return left[0]

    yield leaves
    tap.close()


def approvals(place: Place, state: str, number: int = 1) -> list[str]:
    return [one["id"] for one in ask(place.folder / str(number), "approvals.list", state=state)]


def test_words_to_one_are_carried_out_by_the_other_under_its_rules(place: Place) -> None:
    with asked(place.agents[0], 1) as leaves:
        [id_] = until(lambda: approvals(place, "pending"))
        word = ["approvals", "approve", id_[:12], "--reason", "planned"]
        assert "'carol' may not approve" in place.said(1, *word, by=Subject("carol"))
        assert f"approval {id_[:12]} has your word" in place.said(1, *word)
        assert "user:root has approved" in place.said(1, *word) and "no approval's id begins with 'fff'" in place.said(
            1, "approvals", "deny", "fff", "--reason", "x"
        )
        assert place.said_by_alice(1, *word).startswith(f"approval {id_[:12]} approved\n")
        assert leaves() == REQUEST
    [used] = place.document(1, "approvals", "list", "--state", "used")
    by = f"by collector {place.addresses[1]}"
    assert [(vote["who"], vote["how"]) for vote in used["votes"]] == [("user:root", f"certificate, {by}"), ("user:alice", f"token, {by}")]
    accesses = [one for one in place.document(0, "accesses", "list") if one["question"] == "approvals.decide"]
    assert [(one["user"], one["allowed"]) for one in accesses] == [("carol", False), *[("root", True)] * 3, ("alice", True)]
    with reacting(place.agents, ended):
        session = place.agents[0].session[:12]
        assert place.said(1, "kill", "session", session, "--reason", "taken over") == f"session {session} has ended\n"
    with reacting(place.agents, broken):
        assert place.said(1, "break-glass", "--reason", "stuck") == "Nothing is held, denied or masked on: n0, n1.\n"
    kill(place.processes[0])
    with reacting(place.agents[1:], broken):
        gone = f"collector {place.addresses[0]} did not answer (unavailable): its nodes are missing"
        assert place.said(1, "break-glass", "--reason", "stuck").endswith(gone)


def ended(_node: str, message: pb.Downward) -> Record | None:
    order = message.order.kill.order
    return Outcome(order, "kill", time.monotonic_ns(), kills.ENDED) if order else None


def broken(node: str, message: pb.Downward) -> Record | None:
    id_ = message.glass.id
    return BreakGlass(id_, node, time.monotonic_ns(), time.monotonic_ns() + 10**11, "w", "y") if id_ else None


@contextmanager
def reacting(agents: Sequence[ScriptedAgent], to: Callable[[str, pb.Downward], Record | None]) -> Iterator[None]:
    """Agents that answer what they are told, as long as they are told it."""
    over, heard = threading.Event(), [0] * len(agents)

    def react() -> None:
        while not over.wait(0.02):
            for at, agent in enumerate(agents):
                news = agent.sent[heard[at] :]
                heard[at] += len(news)
                agent.say(*filter(None, (to(agent.node, message) for message in news)))

    thread = threading.Thread(target=react)
    thread.start()
    yield
    over.set()
    thread.join()


def test_what_was_approved_is_used_once_also_when_its_collector_died(place: Place) -> None:
    """The client was told to come again, and does so when its node's agent calls the other collector."""
    first = agent_of(place.folder / "0", "short", "n2", "1s")
    place.agents.append(first)
    with asked(first, 1) as leaves:
        assert leaves() != REQUEST
    [id_] = until(lambda: approvals(place, "pending"))
    for decide in (place.said, place.said_by_alice):
        decide(1, "approvals", "approve", id_[:12], "--reason", "planned")
    assert until(lambda: approvals(place, "approved")) == [id_]
    kill(place.processes[0])
    answer = place.said(1, "approvals", "deny", id_[:12], "--reason", "late")
    assert "of a node whose agent calls a collector now; collector" in answer
    again = agent_of(place.folder / "1", "again", "n2", "1s")
    place.agents.append(again)
    for number, passes in ((11, True), (12, False)):
        with asked(again, number) as leaves:
            assert (leaves() == REQUEST) is passes
    assert approvals(place, "used") == [id_] and len(approvals(place, "pending")) == 1
