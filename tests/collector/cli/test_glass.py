"""`chaperone break-glass` of this machine, and over a real collector; the agent that says so is made by hand."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import scripted_agent
from support.collectors import ask, batch, collector
from support.kernel import cgroup, skip_without_kernel
from support.receivers import until
from support.scripted_agent import ScriptedAgent
from typer.testing import CliRunner

from chaperone.collector.cli import glass as module
from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError
from chaperone.proto.glass import read
from chaperone.proto.records import BreakGlass

RUN = CliRunner().invoke


@contextmanager
def obeying(store: Path) -> Iterator[ScriptedAgent]:
    """An agent that says what it was told, as soon as it hears it."""
    agent = ScriptedAgent(store)
    until(lambda: ask(store, "sessions.list"))
    over = threading.Event()

    def obey() -> None:
        answered = 0
        while not over.wait(0.02):
            told = [message.glass for message in list(agent.sent) if message.WhichOneof("message") == "glass"]
            for one in told[answered:]:
                answered += 1
                began = time.monotonic_ns()
                last = next((each.id for each in reversed(told) if not each.end), "")
                agent.say(BreakGlass(one.id or last, "node", began, began + max(one.for_ns, 1), one.who, one.why, began if one.end else 0))

    thread = threading.Thread(target=obey)
    thread.start()
    yield agent
    over.set()
    thread.join()
    agent.finish()


def test_all_nodes_are_told_and_it_is_recorded_alerted_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lately = partial(batch, wall_offset=time.time_ns() - time.monotonic_ns())
    monkeypatch.setattr(scripted_agent, "batch", lately)
    store = tmp_path / "store"
    place = ["--store", str(store)]
    with collector(store), obeying(store) as agent:
        done = RUN(app, ["break-glass", "--for", "15m", "--reason", "deploys hang", *place])
        assert (done.stdout, done.exit_code) == ("Nothing is held, denied or masked on: node.\n", 0), done.output
        [told] = [message.glass for message in agent.sent if message.WhichOneof("message") == "glass"]
        assert told.why == "deploys hang" and told.who.startswith("unix:") and f"uid {os.getuid()}" in told.who
        rows: list[dict[str, Any]] = until(lambda: (found := ask(store, "glass.list", now=True)) and len(found) == 2 and found)
        assert {one["node"] for one in rows} == {"", "node"} and {one["why"] for one in rows} == {"deploys hang"}
        shown = RUN(app, ["status", *place]).stdout
        assert "Break-glass: nothing is held, denied or masked until " in shown and ": deploys hang" in shown
        [workload] = json.loads(RUN(app, ["status", "-o", "json", *place]).stdout)["workloads"]
        assert (workload["wished"], workload["effective"]) == ("record", "record")
        assert RUN(app, ["break-glass", "--end", *place]).exit_code == 0
        until(lambda: not ask(store, "glass.list", now=True))
        alerts = until(lambda: (found := ask(store, "alerts.list")) and len(found) == 2 and found)
        assert {one["alert"]["rule"] if "alert" in one else one["rule"] for one in alerts} == {"break-glass"}


def test_without_an_agent_nobody_is_told(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with collector(store):
        done = RUN(app, ["break-glass", "--reason", "x", "--store", str(store)])
        assert (done.exit_code, done.stdout) == (0, "Nothing is held, denied or masked on: no node.\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--for", "15m"], "a reason is needed"),
        (["--for", "2d", "--reason", "x"], "expected a time up to 24h"),
        (["--reason", "x", "--node", "n1"], "--node needs a collector"),
    ],
)
def test_what_is_odd_is_said_before_anything_is_done(options: list[str], sentence: str) -> None:
    done = RUN(app, ["break-glass", *options])
    assert isinstance(done.exception, CommandError) and sentence in done.exception.sentence


@pytest.mark.kernel
def test_on_a_node_neither_agent_nor_collector_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_kernel()
    monkeypatch.setenv("CHAPERONE_BREAK_GLASS", str(tmp_path / "g"))
    with cgroup() as nowhere:
        monkeypatch.setattr(module, "COMMAND", (*module.COMMAND, f"--cgroup={nowhere}"))
        done = RUN(app, ["break-glass", "--reason", "deploys hang"])
        assert done.stdout.startswith("On this node nothing is held, denied or masked for 1") and "--end ends it" in done.stdout
        found = read(tmp_path / "g")
        assert found is not None and found.why == "deploys hang"
        assert RUN(app, ["break-glass", "--end"]).stdout == "On this node policies have their effect again.\n"
        assert read(tmp_path / "g") is None
