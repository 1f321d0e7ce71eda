"""What is waited for before the chart is removed, on a double over TLS."""

import threading
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
from chaperone.collector.identity import away

Api = tuple[DaemonSetsApi, ApiDouble]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    with daemon_sets_api(tmp_path) as opened:
        yield opened


def removal(api: Api, folder: Path, what: str, name: str, patience: str = "60", *more: str) -> Result:
    options = ["--namespace", "chaperone", "--kubeconfig", str(api[1].kubeconfig(folder)), "--patience", patience, *more]
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


def test_nodes_that_answer_and_are_not_done_are_said_with_the_next_step(api: Api, tmp_path: Path) -> None:
    api[0].away, api[0].stuck = 1, 1
    for what, sentence in (("agents", "pods of a have not ended: n2"), ("nodes", "nodes are not cleaned up: n2")):
        api[0].sets, api[0].leaving, api[0].observed = {"a": 2, "agent": 1}, {"agent"}, 1
        failed = removal(api, tmp_path, what, "a", "1", *(["--agents", "agent"] if what == "nodes" else [])).exception
        assert isinstance(failed, CommandError)
        assert failed.sentence == sentence and "helm uninstall --no-hooks" in failed.step


@pytest.mark.parametrize(("is_noticed", "is_tolerated"), [(True, True), (True, False), (False, True)])
def test_nodes_that_do_not_answer_are_named_and_not_waited_for(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_noticed: bool, is_tolerated: bool
) -> None:
    if not is_noticed:
        monkeypatch.setattr(away, "SLACK_S", 0.1)
    api[0].is_tolerated = is_tolerated
    api[0].away, api[0].is_noticed, api[0].sets = 2, is_noticed, {"agent": 3, "clean-up": 0}
    done = removal(api, tmp_path, "agents", "agent")
    assert done.stdout.splitlines()[0] == "agent and all its pods are gone, but for nodes that do not answer: n2, n3"
    assert "`chaperone agent --clean-up` on each" in done.stdout
    done = removal(api, tmp_path, "nodes", "clean-up", "60", "--agents", "agent")
    assert done.stdout.splitlines()[0] == "every node is cleaned up, but for nodes that do not answer: n2, n3"
    assert (api[0].sets, done.exit_code) == ({"agent": 2, "clean-up": 1}, 0)


def test_a_node_that_went_away_meanwhile_is_noticed_by_what_no_kubelet_takes(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(away, "BEGIN_S", 0.1)
    api[0].away, api[0].sets = 1, {"clean-up": 0}
    done = removal(api, tmp_path, "nodes", "clean-up", "60", "--agents", "agent")
    assert done.stdout.splitlines()[0] == "every node is cleaned up, but for nodes that do not answer: n3"


def test_a_node_that_comes_back_in_time_is_cleaned_up(api: Api, tmp_path: Path) -> None:
    api[0].away, api[0].sets = 1, {"clean-up": 0}
    back = threading.Timer(0.5, lambda: setattr(api[0], "away", 0))
    back.start()
    assert removal(api, tmp_path, "nodes", "clean-up").stdout == "every node is cleaned up\n"
    back.join()


def test_whoever_may_not_or_names_none_is_told(api: Api, tmp_path: Path) -> None:
    api[0].refuses = [403] * 100
    refused = removal(api, tmp_path, "agents", "a", "0.05").exception
    assert isinstance(refused, CommandError) and "an account that may" in refused.step
    assert refused.sentence == "the API server refuses: 403 Forbidden"
    api[0].refuses = []
    assert str(removal(api, tmp_path, "nodes", "a", "0.05").exception) == "there is no DaemonSet a"
