"""`chaperone connections` over a real store and its collector."""

import json
from pathlib import Path

from support.documents import PROCESS
from support.filled_store import filled
from typer.testing import CliRunner

from chaperone.collector.cli.app import app

__all__ = ["filled"]
RUN = CliRunner().invoke


def test_a_sessions_connections_are_listed(filled: Path) -> None:
    heading, line = RUN(app, ["connections", "list", "--session", "5E5E", "--store", str(filled)]).stdout.splitlines()
    assert heading.split() == ["PID", "PROGRAM", "REMOTE", "NAME", "PROTOCOL", "OUT", "IN", "COVERAGE"]
    assert line.split() == [
        *("4242", "kubectl", "10.0.0.2:6443", "api.test", "TLS", "1.3", "812", "bytes", "4096", "bytes"),
        *("in", "gap:", "20", "bytes"),
    ]


def test_connections_are_listed_as_json(filled: Path) -> None:
    (found,) = json.loads(RUN(app, ["connections", "list", "-o", "json", "--store", str(filled)]).stdout)
    assert (found["process"], found["pid"], found["exe"]) == (PROCESS, 4242, "/usr/bin/kubectl")
    assert found["captured"] == {"out": 700, "in": 3980}


def test_a_session_that_does_not_exist_is_said(filled: Path) -> None:
    assert RUN(app, ["connections", "list", "--session", "ab", "--store", str(filled)]).exit_code != 0
