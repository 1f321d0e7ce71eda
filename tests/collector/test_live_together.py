"""Collectors of one database over mutual TLS, each with an agent: whichever is asked answers for all, and names the one that is gone."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import scripted_agent
from support.collectors import ask, batch, kill, start, stop
from support.receivers import free_port, until
from support.scripted_agent import ScriptedAgent
from support.shared_database import Shared
from support.tls_directories import SERVER, authority, tls_directory
from typer.testing import CliRunner

from chaperone.agent.deliver.line import line
from chaperone.collector.cli.app import app
from chaperone.collector.identity.caller import ADMINS, AGENTS, COLLECTORS
from chaperone.collector.identity.certificates import Pair, Subject
from chaperone.collector.store.directory import socket_target
from chaperone.proto.query_pb2 import Question
from chaperone.proto.query_pb2_grpc import PeersStub, QueryStub

RUN = CliRunner().invoke
ROOT = Subject("root", (ADMINS,))


@dataclass(frozen=True, slots=True)
class Place:
    """`addresses`: of collectors; their stores are the folders 0 and 1, the agents of nodes n0 and n1 call one each."""

    folder: Path
    parent: Pair
    addresses: tuple[str, ...]
    agents: tuple[ScriptedAgent, ...]
    processes: "tuple[Any, ...]"

    def tls(self, subject: Subject) -> Path:
        return tls_directory(self.folder / f"tls-{subject.name}", self.parent, subject)

    def said(self, number: int, *words: str) -> str:
        """What a command says that asks this collector as an administrator."""
        done = RUN(app, ["--server", self.addresses[number], "--tls", str(self.tls(ROOT)), *words])
        return done.output + str(getattr(done.exception, "sentence", ""))

    def document(self, number: int, *words: str) -> Any:
        return json.loads(self.said(number, *words, "-o", "json"))


@pytest.fixture
def place(tmp_path: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(scripted_agent, "batch", partial(batch, wall_offset=time.time_ns() - time.monotonic_ns()))
    parent, addresses = authority(), tuple(f"127.0.0.1:{free_port()}" for _ in range(2))
    tls = tls_directory(tmp_path / "tls", parent, Subject("collector", (COLLECTORS,), SERVER.hosts))
    together = ["--tls", str(tls), "--collectors", ",".join(addresses), *shared.options]
    processes = [
        start(tmp_path / str(number), "--listen", address, "--this-collector", address, *together)
        for number, address in enumerate(addresses)
    ]
    agents = tuple(ScriptedAgent(tmp_path / str(number), name=f"held-{number}", node=f"n{number}") for number in range(2))
    until(lambda: len(ask(tmp_path / "0", "sessions.open")) == 2)
    yield Place(tmp_path, parent, addresses, agents, tuple(processes))
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
        assert {one["effective"] for one in found["workloads"]} == {"record"} and len(found["workloads"]) == 2
        assert (found["missing"], place.document(number, "coverage")[0]["nodes"]) == ([], ["n0", "n1"])
    kill(place.processes[1])
    gone = f"collector {place.addresses[1]} did not answer (unavailable): its nodes are missing"
    assert f"Missing:     {gone}" in place.said(0, "status")
    assert f"Missing: {gone}" in place.said(0, "coverage")
    assert sorted(one["effective"] for one in place.document(0, "status")["workloads"]) == ["nothing", "record"]


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
