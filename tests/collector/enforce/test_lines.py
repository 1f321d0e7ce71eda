import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.made_alerts import alert

from chaperone.collector.enforce import lines as module
from chaperone.collector.enforce.alert import document
from chaperone.collector.enforce.alerting import JsonLines
from chaperone.collector.enforce.lines import send
from chaperone.collector.enforce.message import Entry, Kind, Message
from chaperone.collector.enforce.outcome import Fate, Outcome


def message(number: int) -> Message:
    made = alert(number)
    return Message(made.id, Kind.FIRST, (Entry(document(made), 1, 0, {}),))


def test_each_message_is_one_line_at_the_end_of_the_owners_file(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    for number in (1, 2):
        assert asyncio.run(send(JsonLines(str(file)), message(number))) == Outcome(Fate.SENT, "written")
    assert [json.loads(line) for line in file.read_text().splitlines()] == [message(1).document(), message(2).document()]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_line_that_somebody_left_unfinished_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text('{"cut')
    asyncio.run(send(JsonLines(str(file)), message(1)))
    assert file.read_text().splitlines()[0] == '{"cut'
    assert json.loads(file.read_text().splitlines()[1]) == message(1).document()


@pytest.mark.parametrize("file", ["/dev/full", "/none/alerts.jsonl", "/"])
def test_what_cannot_be_written_is_tried_later(file: str) -> None:
    assert asyncio.run(send(JsonLines(file), message(1))).fate is Fate.LATER


def test_a_pipe_that_is_full_does_not_stop_the_collector(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    fates = [asyncio.run(send(JsonLines(str(tmp_path / "pipe")), message(number))).fate for number in range(100)]
    os.close(reader)
    assert (fates[0], fates[-1]) == (Fate.SENT, Fate.LATER)


def test_a_dash_is_stdout() -> None:
    code = "import asyncio; from test_lines import message, send, JsonLines; asyncio.run(send(JsonLines('-'), message(1)))"
    path = f"{Path(__file__).parent}:{Path(__file__).parents[2]}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=True)
    assert json.loads(done.stdout) == message(1).document()


def test_a_stdout_that_nobody_reads_costs_the_timeout_and_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)
    reader, writer = os.pipe()
    monkeypatch.setattr(module, "STDOUT", writer)
    threads = threading.active_count()
    outcomes = [asyncio.run(send(JsonLines("-"), message(number))) for number in range(60)]
    assert (outcomes[0].fate, outcomes[-1]) == (Fate.SENT, Outcome(Fate.LATER, "nobody took it within 0.1s"))
    assert threading.active_count() <= threads
    os.close(reader)
    os.close(writer)
