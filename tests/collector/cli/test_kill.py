"""`chaperone kill` over a real collector; the agent that ends things, or does not, is made by hand."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.collectors import ask, collector
from support.receivers import until
from support.scripted_agent import ScriptedAgent
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.enforce import kills
from chaperone.proto.records import Outcome

RUN = CliRunner().invoke


@contextmanager
def answering(store: Path, result: str) -> Iterator[ScriptedAgent]:
    """An agent that answers each kill with this."""
    agent = ScriptedAgent(store)
    until(lambda: ask(store, "sessions.list"))
    over = threading.Event()

    def answer() -> None:
        answered: set[str] = set()
        while not over.wait(0.02):
            for order in [message.order.kill.order for message in list(agent.sent) if message.order.kill.order]:
                if order not in answered:
                    answered.add(order)
                    agent.say(Outcome(order, "kill", time.monotonic_ns(), result))

    thread = threading.Thread(target=answer)
    thread.start()
    yield agent
    over.set()
    thread.join()
    agent.finish()


def test_what_has_ended_is_said_and_recorded(tmp_path: Path) -> None:
    store = tmp_path / "store"
    place = ["--reason", "it scans", "--store", str(store)]
    with collector(store):
        with answering(store, kills.ENDED) as agent:
            done = RUN(app, ["kill", "process", agent.process[:10].upper(), *place])
            assert (done.stdout, done.exit_code) == (f"process {agent.process[:12]} has ended\n", 0)
            found = json.loads(RUN(app, ["kill", "session", agent.session, "-o", "json", *place]).stdout)
            assert (found["stage"], found["why"], found["target"]) == ("ended", "it scans", "session")
            assert found["how"].startswith(f"local socket, uid {os.getuid()}, pid {os.getpid()}")
        told = [one["document"]["stage"] for one in ask(store, "replay", session="latest") if one["kind"] == "kill"]
        assert told == ["ended", "ended"]


def test_what_may_go_on_is_a_failure(tmp_path: Path) -> None:
    store = tmp_path / "store"
    place = ["--reason", "it scans", "--store", str(store)]
    with collector(store), answering(store, "2 of its processes have not ended") as agent:
        done = RUN(app, ["kill", "session", agent.session, *place])
        assert done.exit_code == 1 and isinstance(done.exception, CommandError)
        assert done.exception.sentence == f"session {agent.session[:12]} may go on: 2 of its processes have not ended"
        for words, problem in ((["connection", "ffff"], "no connection that goes on"), (["process", agent.process], "a reason is needed")):
            more = place if words[0] == "connection" else ["--reason", " ", *place[2:]]
            done = RUN(app, ["kill", *words, *more])
            assert isinstance(done.exception, CommandError) and problem in done.exception.sentence


def test_a_reason_is_asked_for() -> None:
    assert RUN(app, ["kill", "session", "ab"]).exit_code == 2


@pytest.mark.parametrize("words", [["kill"], ["kill", "--help"]])
def test_it_says_what_can_end(words: list[str]) -> None:
    shown = RUN(app, words).output
    assert all(word in shown for word in ("connection", "process", "session"))
