"""What is waited for before the chart is removed, on a double over TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from support.api_double import ApiDouble
from support.daemon_sets_api import DaemonSetsApi, daemon_sets_api
from typer.testing import CliRunner

from chaperone.collector.cli import removal as module
from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError

Api = tuple[DaemonSetsApi, ApiDouble]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    with daemon_sets_api(tmp_path) as opened:
        yield opened


def removal(api: Api, folder: Path, what: str, name: str, patience: str = "60") -> Result:
    options = ["--namespace", "chaperone", "--kubeconfig", str(api[1].kubeconfig(folder)), "--patience", patience]
    return CliRunner().invoke(app, ["removal", what, name, *options])


def test_agents_are_gone_afterwards(api: Api, tmp_path: Path) -> None:
    api[0].sets["agent"] = 3
    api[0].refuses = [500]
    assert removal(api, tmp_path, "agents", "agent").stdout == "agent and all its pods are gone\n"
    assert not api[0].sets
    assert removal(api, tmp_path, "agents", "agent").exit_code == 0, "as if done by somebody else"


def test_every_node_is_cleaned_up_afterwards(api: Api, tmp_path: Path) -> None:
    api[0].sets["clean-up"] = 0
    assert removal(api, tmp_path, "nodes", "clean-up").stdout == "every node is cleaned up\n"
    assert api[0].sets == {"clean-up": 3}


def test_nodes_that_are_away_are_said_with_the_next_step(api: Api, tmp_path: Path) -> None:
    api[0].away = 1
    for what, sentence in (("agents", "pods of a have not ended"), ("nodes", "1 of 3 nodes are not cleaned up")):
        api[0].sets, api[0].leaving, api[0].observed = {"a": 2}, set(), 1
        failed = removal(api, tmp_path, what, "a", "0.2").exception
        assert isinstance(failed, CommandError)
        assert failed.sentence == sentence and "helm uninstall --no-hooks" in failed.step


def test_whoever_may_not_or_names_none_is_told(api: Api, tmp_path: Path) -> None:
    api[0].refuses = [403] * 100
    refused = removal(api, tmp_path, "agents", "a", "0.05").exception
    assert isinstance(refused, CommandError) and "an account that may" in refused.step
    assert refused.sentence == "the API server refuses: 403 Forbidden"
    api[0].refuses = []
    assert str(removal(api, tmp_path, "nodes", "a", "0.05").exception) == "there is no DaemonSet a"
