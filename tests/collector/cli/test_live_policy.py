"""`chaperone run --policy` as a user types it, on the real kernel: verdicts while it runs, and the same ones again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import collector, leave
from support.policies import EXAMPLE

__all__ = ["apiserver"]
CHAPERONE = Path(sys.executable).with_name("chaperone")
WORK = """for i in 1 2 3 4 5 6 7 8 9 10; do kubectl get secrets -o json >/dev/null; done
kubectl exec agent -- ls
curl -s http://127.0.0.1:{port}/ >/dev/null
true"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "store"
    yield place
    leave(place)


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """A web server that is no apiserver; its port."""
    program = "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); print(s.server_port, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{program}; s.serve_forever()"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


def run(arguments: list[str | Path], **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([CHAPERONE, *arguments], capture_output=True, text=True, timeout=90, check=False, **more)


@pytest.mark.kernel
def test_the_example_policy_judges_a_run_and_its_recording_alike(store: Path, apiserver: ApiServer, elsewhere: int, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(EXAMPLE)
    environment = {**os.environ, "KUBECONFIG": str(apiserver.kubeconfig)}
    work = WORK.format(port=elsewhere)
    done = run(["run", "--store", store, "--policy", policy, "--", "sh", "-c", work], env=environment)
    assert done.returncode == 0 and "12 alerts · complete" in done.stderr, done.stderr
    found = json.loads(run(["verdicts", "list", "--store", store, "-o", "json"]).stdout)
    [surge] = [verdict for verdict in found if verdict["policy"] == "agents"]
    assert (surge["rule"], surge["about"], surge["words"]) == (
        "secret-surge-then-egress",
        {"host": f"127.0.0.1:{elsewhere}"},
        {"egress.external": "True"},
    )
    assert surge["process"]["exe"].endswith("curl")
    again = run(["rules", "test", policy, "--session", "latest", "--store", store]).stdout
    assert again.count("\n") == 1 and "alert by secret-surge-then-egress" in again
    since = run(["rules", "test", policy, "--since", "10m", "--store", store]).stdout
    assert since == again


@pytest.mark.kernel
def test_a_bad_policy_is_125_and_the_command_does_not_run(store: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(EXAMPLE.replace("count: 10", "count: ten"))
    done = run(["run", "--store", store, "--policy", policy, "--", "echo", "ran"])
    assert (done.returncode, done.stdout) == (125, "")
    assert f"{policy}:14: rules[1].count: expected a whole number" in done.stderr


@pytest.mark.kernel
def test_look_ups_of_the_collector_are_not_recorded_as_the_workloads(store: Path, apiserver: ApiServer, tmp_path: Path) -> None:
    """curl execs into a pod that nobody read, so the collector asks; the recording has the exec and nothing else."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(EXAMPLE)
    url = f"{apiserver.url}/api/v1/namespaces/default/pods/agent/exec?command=ls"
    curl = f"curl -sS -X POST --cacert {apiserver.ca} -H 'Authorization: Bearer {apiserver.token}' '{url}' >/dev/null; true"
    with collector(store, "--lookup", str(apiserver.kubeconfig)):
        done = run(["run", "--store", store, "--policy", policy, "--", "sh", "-c", curl], env={**os.environ, "KUBECONFIG": "/dev/null"})
        assert done.returncode == 0, done.stderr
        found = json.loads(run(["calls", "list", "--store", store, "-o", "json"]).stdout)
        assert [(call["verb"], call["subresource"], call["userAgent"].partition("/")[0]) for call in found] == [("create", "exec", "curl")]
        said = json.loads(run(["verdicts", "list", "--store", store, "-o", "json"]).stdout)
        assert [verdict for verdict in said if verdict["rule"] == "no-privileged-exec"] == [], "the pod is known not to be privileged"
    asked = [(one["method"], one["requestURI"]) for one in apiserver.requests() if one["userAgent"].startswith("chaperone-collector")]
    single = [one for one in asked if "?limit=" not in one[1]]  # the survey for `coverage` lists
    assert single == [("GET", "/api/v1/namespaces/default/pods/agent")]
