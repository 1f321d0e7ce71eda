"""The glass broken through a real collector: what `chaperone run --policy` denied passes, and is denied again afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import ask
from support.enforced import until
from support.kernel import skip_without_kernel
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.store.directory import holder

__all__ = ["apiserver"]
pytestmark = pytest.mark.kernel
CHAPERONE = Path(sys.executable).with_name("chaperone")
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
onFailure: deny
verdictTimeout: 60s
rules: [{name: no-delete, when: call.verb == "delete", do: deny, enforce: enforce, message: nothing is deleted here}]
"""
SCRIPT = """
step() { until [ -e $GO.$1 ]; do sleep 0.05; done; kubectl delete pod agent >$GO.out.$1 2>&1; echo $? >$GO.done.$1; }
step 1; step 2; step 3
"""


def test_what_was_denied_passes_meanwhile(tmp_path: Path, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_kernel()
    for name, value in {"CHAPERONE_BREAK_GLASS": tmp_path / "glass", "GO": tmp_path / "go", "KUBECONFIG": apiserver.kubeconfig}.items():
        monkeypatch.setenv(name, str(value))
    (tmp_path / "policy.yaml").write_text(POLICY)
    store = tmp_path / "store"
    place = ["--store", str(store)]

    def deleted(number: int) -> str:
        (tmp_path / f"go.{number}").touch()
        until((tmp_path / f"go.done.{number}").exists)
        return (tmp_path / f"go.out.{number}").read_text()

    def workload() -> dict[str, Any]:
        [found] = ask(store, "workloads.status")
        return found

    argv = [CHAPERONE, "run", *place, "--policy", tmp_path / "policy.yaml", "--", "sh", "-c", SCRIPT]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        assert "denied by policy" in deleted(1), process.poll()
        assert CliRunner().invoke(app, ["break-glass", "--reason", "deploys hang", *place]).exit_code == 0
        assert (tmp_path / "glass").exists(), "the agents to come know of it, too"
        assert workload()["effective"] == "record" and "deploys hang" in workload()["why"][0]
        assert "deleted" in deleted(2)
        assert CliRunner().invoke(app, ["break-glass", "--end", *place]).exit_code == 0
        until(lambda: workload()["effective"] == "enforce")
        assert "denied by policy" in deleted(3)
        _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert [asked["method"] for asked in apiserver.requests() if asked["method"] != "GET"] == ["DELETE"]
    calls = [(call["code"], "denied" in call) for call in ask(store, "calls.list", verb="delete")]
    assert sorted(calls) == [(200, False), (403, True), (403, True)]
    verdicts = sorted(one["notCarriedOut"] != "" for one in ask(store, "verdicts.list", rule="no-delete"))
    assert verdicts == [False, False, True]
    if pid := holder(store):
        os.kill(pid, signal.SIGTERM)
