"""Alerts survive kill -9 at any moment: each that was kept is told at least once, and none counts twice."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support.made_alerts import alert
from support.receivers import Server, serving, until

from chaperone.collector.enforce.outbox import FILE, Outbox

TESTS = Path(__file__).parents[2]
COUNT = 60


def start(directory: Path, file: Path, first: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "support.alert_process", str(directory), str(file), str(first), str(COUNT)]
    return subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(TESTS)})


def kept(process: "subprocess.Popen[str]", enough: Callable[[int], bool]) -> int:
    """The last number that was kept when there were enough, or all of them; then it is killed."""
    last, said = -1, 0
    assert process.stdout
    for line in process.stdout:
        last, said = (last, said) if line == "ready\n" else (int(line), said + 1)
        if enough(said):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    return last


def told(server: Server) -> set[str]:
    return {entry["alert"]["id"] for document in server.documents() for entry in document["alerts"]}


def test_every_alert_that_was_kept_is_told_whenever_it_is_killed(tmp_path: Path) -> None:
    dice, reached = random.Random(os.urandom(8)), -1
    with serving(*([200, 500, 0] * 400)) as server:
        file = tmp_path / "alerts.yaml"
        hook = f"{{url: '{server.url}', key: {'k' * 32}}}"
        file.write_text(
            "apiVersion: chaperone.dev/v1\nkind: Alerting\n"
            f"receivers: [{{name: hook, webhook: {hook}, limit: {{messages: 10000, within: 1s}}}}]\n"
        )
        for _ in range(6):
            size, again = dice.randrange(0, 12), dice.randrange(0, 2)  # again: one that was kept may be judged again
            process = start(tmp_path, file, max(0, reached + 1 - again))
            reached = max(reached, kept(process, lambda said, size=size: said >= size))
        server.behaviour.statuses = [200]
        last = start(tmp_path, file, max(0, reached - 3))
        assert last.wait(120) == 0 and last.stdout
        last.stdout.close()
        wanted = {alert(number, rule=f"rule{number}").id for number in range(COUNT)}
        until(lambda: told(server) == wanted)
    outbox = Outbox(tmp_path / FILE)
    assert outbox.rows("SELECT count(*) AS n, sum(count) AS members FROM alerts") == [{"n": COUNT, "members": COUNT}]
    assert outbox.rows("SELECT DISTINCT state FROM deliveries") == [{"state": "told"}]
    outbox.close()
