"""A real collector hears two sessions over whose time the wall clock was set: what people see of them keeps its order."""

import json
import time
from pathlib import Path

import pytest
from support.collectors import batch, collector, hello, send
from support.conversations import Conversation, pods
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.show.times import parse_duration
from chaperone.proto import capture_pb2 as pb

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
RUN = CliRunner().invoke
URIS = [f"/api/v1/namespaces/default/pods?limit={number}" for number in range(1, 5)]


def told(step: int, offset: int) -> list[pb.Upward]:
    """Two sessions, one after the other. The clock is set in the middle of the first one's third call."""
    first, second = Conversation("first"), Conversation("second")
    before = [*first.begun("kubectl", "first"), *first.exchange(URIS[0], pods()), *first.exchange(URIS[1], pods()), first.request(URIS[2])]
    behind = [first.answer(pods()), *first.exchange(URIS[3], pods()), *first.ended()]
    second.time = first.time
    last = [*second.begun("kubectl", "second"), *second.exchange("/version", {}), *second.ended()]
    parts = [(before, offset - step), (behind, offset), (last, offset)]
    return [batch(number, records, wall) for number, (records, wall) in enumerate(parts, 1)]


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_lists_filters_and_replay_survive_a_step(tmp_path: Path, step: int) -> None:
    store = tmp_path / "store"
    offset = time.time_ns() - 60 * SECOND  # all of it was about a minute ago, by the clock as it is now
    with collector(store):
        send(store, [hello(), *told(step, offset)])

        def output(*arguments: str) -> str:
            done = RUN(app, [*arguments, "--store", str(store)])
            assert done.exit_code == 0, done.output
            return done.stdout

        calls = [json.loads(line) for line in output("calls", "list", "--since", "10m", "-o", "jsonl").splitlines()]
        assert [call["requestURI"] for call in calls] == [*URIS, "/version"]
        assert all("at" not in call and call["complete"] for call in calls)
        assert output("calls", "list", "--since", "30s", "-o", "jsonl") == ""
        sessions = json.loads(output("sessions", "list", "--since", "10m", "-o", "json"))
        assert [session["argv"][1] for session in sessions] == ["first", "second"]
        ages = [parse_duration(line.split()[1]) for line in output("calls", "list").splitlines()[1:]]
        assert all(59 * SECOND <= age < HOUR // 2 for age in ages)
        shown = output("replay", sessions[0]["id"], "--no-wait", "--body-lines", "0")
        places = [shown.index(f"limit={number}") for number in range(1, 5)]
        assert places == sorted(places) and shown.rstrip().endswith("with status 0")
        offsets = [float(line[1:].split("s")[0]) for line in shown.splitlines() if line.startswith("+")]
        assert offsets == sorted(offsets) and offsets[-1] < 1, "all of it took some milliseconds"
