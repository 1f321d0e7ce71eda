"""`chaperone kill` of what really runs: a run's connection, its process, all of it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import ask, leave
from support.kernel import skip_without_kernel

__all__ = ["apiserver"]
pytestmark = pytest.mark.kernel
CHAPERONE = Path(sys.executable).with_name("chaperone")
WAIT_S = 240  # a busy machine takes a minute to begin
TALKS = """import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
found = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname="127.0.0.1")
found.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
while found.recv(65536):
    pass
print("the connection is over", flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    skip_without_kernel()
    yield tmp_path / "store"
    leave(tmp_path / "store")


def start(store: Path, *command: str) -> "subprocess.Popen[str]":
    run = [CHAPERONE, "run", "--store", str(store), "--", *command]
    return subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "KUBECONFIG": "/dev/null"})


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            if result := found():
                return result
        except Exception as error:  # noqa: BLE001 - the collector may not be there yet
            last: object = error
        else:
            last = "nothing"
        assert time.monotonic() < deadline, last
        time.sleep(0.1)


def kill(store: Path, *words: str) -> tuple[int, str]:
    command = [CHAPERONE, "kill", *words, "--reason", "taken over", "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    return done.returncode, done.stdout + done.stderr


def of_session(store: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(store, "sessions.show", session="latest")[0][name]
    return found


def test_a_process_then_all_of_a_session_ends_and_it_is_on_record(store: Path) -> None:
    run = start(store, "sh", "-c", "sleep 601; sleep 602")
    first = until(lambda: [one for one in of_session(store, "processes") if one.get("exe", "").endswith("/sleep")])[0]
    assert kill(store, "process", first["id"][:12]) == (0, f"process {first['id'][:12]} has ended\n")
    until(lambda: len([one for one in of_session(store, "processes") if one.get("exe", "").endswith("/sleep")]) == 2)
    until(lambda: next(one for one in of_session(store, "processes") if one["id"] == first["id"]).get("ended"))
    assert "no process that goes on" in kill(store, "process", first["id"][:12])[1]
    [session] = ask(store, "sessions.list")
    assert kill(store, "session", session["id"][:12]) == (0, f"session {session['id'][:12]} has ended\n")
    run.communicate(timeout=WAIT_S)
    assert run.returncode == 137
    told = [one["document"] for one in ask(store, "replay", session="latest") if one["kind"] == "kill"]
    assert [(one["target"], one["stage"], one["why"], one["who"]) for one in told] == [
        ("process", "ended", "taken over", "unix:root"),
        ("session", "ended", "taken over", "unix:root"),
    ]


def test_a_connection_ends_for_both_sides(store: Path, apiserver: ApiServer) -> None:
    run = start(store, sys.executable, "-c", TALKS, str(apiserver.ca), str(apiserver.port))
    address = f"127.0.0.1:{apiserver.port}"
    [found] = until(lambda: [one for one in ask(store, "connections.list", session="latest") if one["remote"] == address])
    until(apiserver.requests)  # it is at its loop
    assert kill(store, "connection", found["id"][:12]) == (0, f"connection {found['id'][:12]} has ended\n")
    out, _ = run.communicate(timeout=WAIT_S)
    assert (out, run.returncode) == ("the connection is over\n", 0)


POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
rules:
- name: no-secrets
  when: call.resource == "secrets" && call.code == 200
  do: kill
  kill: session
  enforce: enforce
  message: "read a secret"
"""


def test_a_rule_ends_a_session_that_did_what_it_says(store: Path, tmp_path: Path, apiserver: ApiServer) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    get = f"{Path(sys.executable).parent}/kubectl get secrets >/dev/null; sleep 600"
    command = [CHAPERONE, "run", "--store", str(store), "--policy", str(tmp_path / "policy.yaml"), "--", "sh", "-c", get]
    environment = {**os.environ, "KUBECONFIG": str(apiserver.kubeconfig), "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=WAIT_S)
    assert done.returncode == 137, done.stderr
    told = [one["document"] for one in ask(store, "replay", session="latest") if one["kind"] == "kill"]
    assert told and told[0]["stage"] == "ended" and told[0]["why"] == "rule no-secrets of agents: read a secret"
    verdicts = subprocess.run([CHAPERONE, "verdicts", "list", "-o", "jsonl", "--store", str(store)], capture_output=True, text=True)
    [verdict] = [one for line in verdicts.stdout.splitlines() if (one := json.loads(line))["action"] == "kill"]
    assert verdict["notCarriedOut"] == ""
