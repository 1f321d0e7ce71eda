"""A real collector that judges by objects of an API over TLS: what is in force, what they are told, and what is recorded."""

import json
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.collectors import ask, collector, kill, start, stop
from support.pod_api import PodApi, pod_api
from support.receivers import free_port, until
from support.scripted_agent import ScriptedAgent
from support.shared_database import Shared
from support.tls_directories import SERVER, authority, tls_directory
from typer.testing import CliRunner

from chaperone.collector.__main__ import main
from chaperone.collector.cli.app import app
from chaperone.collector.identity.caller import COLLECTORS
from chaperone.collector.identity.certificates import Subject
from chaperone.collector.lookup.objects import PATH
from chaperone.collector.policing import LOOK_S, SHARED


def kubeconfig(api: PodApi, directory: Path) -> Path:
    cluster = {"server": f"https://127.0.0.1:{api.port}", "certificate-authority": str(api.directory / "ca.crt")}
    document = {
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"tokenFile": str(api.directory / "token")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


def policy(generation: int, do: str) -> dict[str, Any]:
    managed = [{"manager": "kubectl-edit", "operation": "Update", "time": f"2026-01-0{generation}T00:00:00Z"}]
    about = {"name": "agents", "uid": "u1", "generation": generation, "managedFields": managed}
    return {"kind": "Policy", "metadata": about, "rules": [{"name": "r", "when": 'call.verb == "delete"', "do": do}]}


def test_objects_are_in_force_told_and_recorded(tmp_path: Path) -> None:
    store = tmp_path / "store"

    def status() -> dict[str, Any]:
        [found] = ask(store, "rules.status")
        return found

    def told() -> Any:
        return api.listed(PATH, {})["items"][0].get("status", {})

    (tmp_path / "account").mkdir()
    with pod_api(tmp_path / "account") as api:
        options = ["--no-default-policy", "--policy-objects", str(kubeconfig(api, tmp_path)), "--policy", str(_file(tmp_path))]
        with collector(store, *options):
            until(lambda: len(ask(store, "policies.history")) == 1)
            api.put(PATH, policy(1, "alert"))
            until(lambda: status()["rules"] == 2 and told().get("accepted") is True)
            api.put(PATH, policy(2, "denie"))
            until(lambda: told().get("observedGeneration") == 2)
            assert told()["accepted"] is False and "rules[0].do: expected one of" in told()["message"] and told()["rules"] == 1
            assert status()["rules"] == 2, "the last that was good stays"
            api.put(PATH, policy(3, "deny"))
            until(lambda: told().get("accepted") is True and len(ask(store, "policies.history")) == 4)
        api.refuses = 500
        with collector(store, *options):
            assert status()["rules"] == 2, "as it was, until the API says what there is"
            api.remove(PATH, "", "agents")
            api.refuses = 0
            until(lambda: len(ask(store, "policies.history")) == 5)
            shown = CliRunner().invoke(app, ["rules", "history", "--store", str(store)]).stdout
    heads = [line.partition(" ")[2] for line in shown.splitlines() if not line.startswith(" ")]
    assert heads[0] == f"added {tmp_path}/own.yaml (own) by unix:root (owner of the file)"
    assert heads[1:] == [
        "added policies.chaperone.dev/agents (agents) by manager kubectl-edit (Update)",
        "refused policies.chaperone.dev/agents by unknown",
        "changed policies.chaperone.dev/agents (agents) by manager kubectl-edit (Update)",
        "removed policies.chaperone.dev/agents by unknown",
    ]
    assert "    -  do: alert\n    +  do: deny\n" in shown


def test_the_status_is_of_all_collectors_whichever_writes_it(tmp_path: Path, shared: Shared) -> None:
    """The first of the list does; while it is gone the second, which names it; and it again when it is back, also over what was written."""
    tls = tls_directory(tmp_path / "tls", authority(), Subject("collector", (COLLECTORS,), SERVER.hosts))
    addresses = [f"localhost:{free_port()}" for _ in range(2)]
    gone = f"collector {addresses[0]} did not answer (unavailable): its nodes are missing"
    (tmp_path / "account").mkdir()
    with pod_api(tmp_path / "account") as api, ExitStack() as ending:

        def started(number: int) -> "subprocess.Popen[bytes]":
            own = ["--listen", addresses[number], "--this-collector", addresses[number], "--policy-objects", str(kubeconfig(api, tmp_path))]
            options = ["--tls", str(tls), "--collectors", ",".join(addresses), "--no-default-policy", *shared.options]
            process = start(tmp_path / str(number), *own, *options)
            ending.callback(lambda: process.poll() is None and stop(process))
            return process

        def told() -> tuple[list[str], str]:
            status = api.listed(PATH, {})["items"][0].get("status", {})
            return status.get("nodes", []), status.get("message", "")

        def writes() -> int:
            return sum(1 for method, _ in api.requests if method == "PATCH")

        first, _ = started(0), started(1)
        for number in range(2):
            ending.callback(ScriptedAgent(tmp_path / str(number), name=f"a{number}", node=f"n{number}").close)
        api.put(PATH, policy(1, "alert"))
        until(lambda: told() == (["n0", "n1"], ""))
        until_quiet = writes()
        time.sleep(2 * SHARED * LOOK_S)
        assert (writes() - until_quiet, told()) == (0, (["n0", "n1"], "")), "nobody writes over the other"
        kill(first)
        until(lambda: told() == (["n1"], gone))
        started(0)
        until(lambda: told() == (["n1"], ""))
        api.patched(f"{PATH}/agents/status", [{"value": {"nodes": ["n9"], "message": "by somebody who could not ask"}}])
        until(lambda: told() == (["n1"], ""))


def test_a_kubeconfig_that_is_none_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--policy-objects", "--lift-startup-taint"):
        assert main(["--store", str(tmp_path / "store"), option, "/no/such/file"]) == 1
        assert capsys.readouterr().err == "chaperone collector: /no/such/file: No such file or directory\n"


def _file(directory: Path) -> Path:
    path = directory / "own.yaml"
    path.write_text("apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: own}\nrules: [{name: o, when: call.write, do: alert}]\n")
    return path
