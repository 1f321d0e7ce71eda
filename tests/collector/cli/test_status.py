"""`chaperone status` over a real collector."""

import json
from pathlib import Path

import pytest
from support.collectors import batch, collector, hello, send
from support.conversations import Conversation, pods
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.status import lines
from chaperone.proto.records import NO_SESSION, Note

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
    assert f"process {process.pid}, for " in shown.stdout and "1 sessions, 1 calls, " in shown.stdout
    assert "spool: what agent x left is given up: 7 bytes\\x1b[2J" in shown.stdout and "all is well" not in shown.stdout
    assert [note["text"] for note in whole["notes"]] == [wrong.text] and whole["refusal"] == ""


def test_a_collector_that_takes_nothing_says_why() -> None:
    found = {"counts": {}, "size": 0, "version": "1", "pid": 2, "uptime_s": 3.5, "refusal": "no space left"}
    assert [line for line in lines(found) if line.startswith("Refuses")] == ["Refuses:     no space left"]
