"""Nothing that a run's programs keep secret leaves them: not to disk, a command line, an error stream or an answer.

The whole of it, live: kubectl, curl and a shell say one canary in every way that promises a secret; then all that Chaperone
wrote or says is searched for it in every encoding.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import leave
from support.kernel import skip_without_kernel
from support.leaks import leaks_in, leaks_in_files, leaks_in_store, plant

__all__ = ["apiserver"]
pytestmark = pytest.mark.kernel
CHAPERONE = Path(sys.executable).with_name("chaperone")
CANARY = "canary4f1b9es3cr3tQx7"
SCRIPT = f"""#!/bin/sh
kubectl create secret generic one --from-literal=password={CANARY}
kubectl get secret one -o json >/dev/null
kubectl get secret one -o yaml >/dev/null
kubectl get secrets >/dev/null
kubectl apply -f $WORK/secret.yaml
kubectl patch secret one -p '{{"stringData": {{"password": "{CANARY}"}}}}'
kubectl replace -f $WORK/secret.json
kubectl exec agent -c main -- sh -c 'echo DB_PASSWORD={CANARY}; echo token: {CANARY}'
printf 'password={CANARY}\\n' | kubectl exec -i agent -c main -- cat
kubectl --token={CANARY} get pods >/dev/null
DB_PASSWORD={CANARY} sh -c 'kubectl get pods' >/dev/null
curl -sS --cacert $CA -H 'Authorization: Bearer {CANARY}' $URL/api/v1/namespaces/default/secrets/one
curl -sS --cacert $CA -H 'X-Api-Key: {CANARY}' "$URL/elsewhere?access_token={CANARY}&q=1"
curl -sS --cacert $CA -u user:{CANARY} --data @$WORK/anything $URL/demo/swallow
curl -sS --cacert $CA --data-binary @$WORK/secret.json -H 'Content-Type: application/octet-stream' $URL/upload
curl -sS --cacert $CA https://user:{CANARY}@127.0.0.1:$PORT/demo/bytes?size=10
true
"""
QUESTIONS = (
    ["sessions", "list"],
    ["sessions", "show", "latest"],
    ["calls", "list", "-o", "jsonl"],
    ["calls", "list"],
    ["replay", "latest", "--no-wait"],
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    skip_without_kernel()
    yield tmp_path / "store"
    leave(tmp_path / "store")


def environment(tmp_path: Path, server: ApiServer) -> dict[str, str]:
    """With a folder of its own for temporary files, which is searched too."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one", "namespace": "default"}, "stringData": {"token": CANARY}}
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    (work / "anything").write_text(CANARY)
    (work / "secret.json").write_text(json.dumps(secret))
    (work / "secret.yaml").write_text(json.dumps({**secret, "metadata": {"name": "two", "namespace": "default"}}))
    (work / "script").write_text(SCRIPT)
    (work / "script").chmod(0o755)
    ours = {"WORK": work, "TMPDIR": temporary, "KUBECONFIG": server.kubeconfig, "CA": server.ca, "URL": server.url, "PORT": server.port}
    return {**os.environ, **{name: str(value) for name, value in ours.items()}}


class CommandLines(threading.Thread):
    """All that our own processes show of themselves to anybody on the machine, as long as `process` runs."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__()
        self.process, self.seen = process, set[bytes]()

    def run(self) -> None:
        while self.process.poll() is None:
            for pid in Path("/proc").glob("[0-9]*"):
                try:
                    line = (pid / "cmdline").read_bytes()
                except OSError:
                    continue
                if b"chaperone.agent" in line or b"chaperone.collector" in line:
                    self.seen.add(line)
            time.sleep(0.1)


def ask(store: Path, *question: str) -> bytes:
    return subprocess.run([CHAPERONE, *question, "--store", store], capture_output=True, timeout=60, check=True).stdout


def test_no_secret_of_a_run_is_in_anything_that_chaperone_writes_or_says(tmp_path: Path, store: Path, apiserver: ApiServer) -> None:
    told = environment(tmp_path, apiserver)
    command = [CHAPERONE, "run", "--store", store, "--", tmp_path / "work/script", f"--token={CANARY}"]
    with subprocess.Popen(command, env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lines = CommandLines(process)
        lines.start()
        _out, err = process.communicate(timeout=120)
        lines.join()
    assert process.returncode == 0, err
    logged = b"".join(b"".join(apiserver.plaintext(number)) for number in apiserver.connections())
    assert {"raw", "base64/0"} <= set(leaks_in(logged, CANARY.encode())), "the programs did say it"
    said = {"line": err.splitlines()[-1], "command lines": b"\n".join(lines.seen)}
    said |= {" ".join(question): ask(store, *question) for question in QUESTIONS}
    calls = [json.loads(line) for line in said["calls list -o jsonl"].splitlines()]
    said |= {f"calls show {call['verb']} {call['requestURI']}": ask(store, "calls", "show", call["id"]) for call in calls}
    assert {(call["verb"], call["resource"]) for call in calls} >= {
        ("create", "secrets"),
        ("get", "secrets"),
        ("patch", "secrets"),
        ("list", "pods"),
    }
    assert {name: found for name, text in said.items() if (found := leaks_in(text, CANARY.encode()))} == {}
    assert lines.seen
    leave(store)
    assert leaks_in_files(tmp_path / "temporary", CANARY.encode()) == []
    assert leaks_in_store(store, CANARY.encode()) == []
    plant(store, CANARY.encode())
    assert leaks_in_store(store, CANARY.encode()) != []
