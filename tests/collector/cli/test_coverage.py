"""`chaperone coverage`. With a real node: test_live_pods.py."""

from pathlib import Path
from typing import Any

import pytest
from support.filled_store import filled
from typer.testing import CliRunner

from chaperone.collector.cli import coverage as module
from chaperone.collector.cli.app import app

__all__ = ["filled"]
GAP = {"namespace": "demo", "pod": "agent", "container": "main", "id": "c", "node": "n1", "why": "runs in gVisor"}
ODD = {"workload": "demo/agent/main", "exe": "/usr/bin/odd", "stack": "rustls", "connections": 3}
FOUND: dict[str, Any] = {"selected": 3, "observed": 2, "unobserved": [GAP], "unread": [ODD], "nodes": ["n1"], "problem": ""}


def said(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], *options: str) -> tuple[int, str]:
    monkeypatch.setattr(module, "ask", lambda _whom, _question: [found])
    done = CliRunner().invoke(app, ["coverage", *options])
    return done.exit_code, done.stdout


def test_what_is_missing_is_said_with_why(monkeypatch: pytest.MonkeyPatch) -> None:
    status, text = said(monkeypatch, FOUND)
    assert status == 0 and text.startswith("2 of 3 selected containers are observed.\n")
    assert "runs in gVisor" in text and "1 programs spoke TLS that nobody reads" in text and "rustls" in text


def test_a_check_fails_unless_all_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FOUND | {"unobserved": [], "unread": []}
    assert said(monkeypatch, whole, "--check") == (0, "2 of 3 selected containers are observed.\n")
    for found in (FOUND, whole | {"unread": [ODD]}, whole | {"problem": "x"}):
        assert said(monkeypatch, found, "--check")[0] == 1


def test_a_store_without_an_api_says_so(filled: Path) -> None:
    done = CliRunner().invoke(app, ["coverage", "--store", str(filled)])
    assert done.exit_code == 0 and done.stdout.startswith("Not known: this collector asks no API (--lookup)"), done.stderr
