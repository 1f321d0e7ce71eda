"""`chaperone status` over a real collector."""

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import scripted_agent
from support.collectors import batch, collector, hello, send
from support.conversations import Conversation, pods
from support.receivers import until
from support.scripted_agent import ScriptedAgent
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.status import here, lines
from chaperone.proto import glass
from chaperone.proto.ids import stream_id
from chaperone.proto.records import NO_SESSION, Note, StreamOpened

RUN = CliRunner().invoke


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("status") / "store"


def test_it_says_who_has_how_much_and_what_is_wrong(store: Path) -> None:
    one, wrong = Conversation(), Note(NO_SESSION, 5, "spool", "what agent x left is given up: 7 bytes\x1b[2J", complete=False)
    fine = Note(NO_SESSION, 6, "spool", "all is well")
    with collector(store) as process:
        send(store, [hello(), batch(1, [*one.begun(), *one.exchange("/api/v1/pods", pods()), wrong, fine, *one.ended()])])
        shown = RUN(app, ["status", "--store", str(store)])
        whole = json.loads(RUN(app, ["status", "-o", "json", "--store", str(store)]).stdout)
    assert shown.exit_code == 0, shown.output
    assert f"process {process.pid}, for " in shown.stdout and "1 session, 1 call, " in shown.stdout
    assert "spool: what agent x left is given up: 7 bytes\\x1b[2J" in shown.stdout and "all is well" not in shown.stdout
    assert [note["text"] for note in whole["notes"]] == [wrong.text] and whole["refusal"] == ""


def test_a_collector_that_takes_nothing_says_why() -> None:
    found = {"counts": {}, "size": 0, "version": "1", "pid": 2, "uptime_s": 3.5, "refusal": "no space left"}
    assert [line for line in lines(found) if line.startswith("Refuses")] == ["Refuses:     no space left"]


def test_a_broken_glass_of_this_node_is_said_without_a_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAPERONE_BREAK_GLASS", str(tmp_path / "g"))
    assert here() == []
    boot, now = Path("/proc/sys/kernel/random/boot_id").read_text().strip(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    broken = glass.Glass("g", boot, now, now + 900 * glass.SECOND, "unix:root", "deploys hang")
    glass.write(tmp_path / "g", broken)
    shown = RUN(app, ["status", "--store", str(tmp_path / "none")])
    assert shown.exit_code and shown.stdout.startswith("This node:   nothing is held, denied or masked for 1")
    assert "by unix:root: deploys hang" in shown.stdout
    glass.write(tmp_path / "g", replace(broken, begun=0, until=now))
    assert here() == []
    (tmp_path / "g").write_text("nonsense")
    assert here() == []


POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
rules: [{name: no-exec, when: call.subresource == "exec", do: deny, enforce: enforce}]
"""


def in_force(store: Path) -> list[dict[str, Any]]:
    found = RUN(app, ["status", "-o", "json", "--store", str(store)])
    assert found.exit_code == 0, found.output
    rows: list[dict[str, Any]] = json.loads(found.stdout)["workloads"]
    return rows


def test_what_is_in_force_is_told_beside_what_is_wished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lately = partial(batch, wall_offset=time.time_ns() - time.monotonic_ns())  # it goes on, so it began lately
    monkeypatch.setattr(scripted_agent, "batch", lately)
    store = tmp_path / "store"
    with collector(store):
        assert "No workload is governed now." in RUN(app, ["status", "--store", str(store)]).stdout
        agent = ScriptedAgent(store, (POLICY,))
        agent.say(StreamOpened(stream_id(agent.process, 1, 1), agent.process, agent.session, time.monotonic_ns(), "openssl"))
        why = ["its agent holds nothing: it was not told to, or cannot"]
        [one] = until(lambda: [one for one in in_force(store) if one["why"] == why])
        assert (one["session"], one["workload"], one["wished"], one["effective"]) == (agent.session, "run", "enforce", "record")
        shown = RUN(app, ["status", "--store", str(store)]).stdout
        assert "Policies:" in shown and "its agent holds nothing" in shown
        agent._upward.put(None)  # it hangs up
        gone = "its agent is not connected: what it holds it decides by onFailure"
        until(lambda: [one for one in in_force(store) if gone in one["why"] and one["effective"] == "nothing"])
