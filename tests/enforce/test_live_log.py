"""An agent's own log of what was ordered, as JSON: it agrees with the recording, and has nothing of what was said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import collector
from support.governed_run import HEAD
from support.kernel import cgroup, entering, skip_without_kernel
from support.leaks import leaks_in

from chaperone.collector.store.embedded import Embedded

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
CANARY = "c4n4ry-Zq81XwLp"
RULES = '- {name: no-deletions, when: call.verb == "delete", do: deny, enforce: enforce}\n'
LINE = {"ts", "level", "logger", "message", "hold", "order", "result", "stream", "digest"}


def test_orders_and_outcomes_are_in_the_log_with_digests(tmp_path: Path, apiserver: ApiServer) -> None:
    skip_without_kernel()
    (tmp_path / "policy.yaml").write_text(HEAD + RULES)
    (tmp_path / "session.json").write_text(json.dumps({"mode": "enforce", "on_failure": "deny", "verdict_timeout_s": "60"}))
    with collector(tmp_path / "store", "--policy", str(tmp_path / "policy.yaml")), cgroup() as group:
        log = ran(tmp_path, apiserver, group)
    outcomes = [line for line in map(json.loads, log.splitlines()) if line["logger"] == "chaperone.agent.orders"]
    assert outcomes and all(set(line) <= LINE for line in outcomes)
    told = {line["hold"]: (line["order"], line.get("result", ""), line.get("digest", "")) for line in outcomes}
    assert told == recorded(tmp_path / "store")
    assert {"pass", "write"} <= {order for order, _, _ in told.values()}
    assert all(digest for order, _, digest in told.values() if order in ("pass", "write"))
    assert leaks_in(log, CANARY.encode()) == leaks_in(log, apiserver.token.encode()) == []


def ran(place: Path, server: ApiServer, group: Path) -> bytes:
    """What an agent logged meanwhile: a workload reads, then deletes something."""
    ready, told = os.pipe()
    files = ["--socket", place / "store/collector.sock", "--session", place / "session.json", "--spool", place / "spool"]
    options = [*files, "--ready-fd", str(told), "--log-format", "json", "--cgroup", group]
    command = [sys.executable, "-m", "chaperone.agent", *options]
    with subprocess.Popen(command, pass_fds=(told,), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as agent:
        os.close(told)
        try:
            with os.fdopen(ready) as line:
                assert line.readline()
            for method, status in (("GET", "200"), ("DELETE", "403")):
                assert asked(server, group, method) == status
        finally:
            agent.terminate()
        log = agent.stderr.read() if agent.stderr else b""
        assert agent.wait(90) == 0, log
    return log


def asked(server: ApiServer, group: Path, method: str) -> str:
    """The status of the answer."""
    secret = ["-H", f"Authorization: Bearer {server.token}", "-H", f"X-Secret: {CANARY}"]
    curl = ["curl", "-sS", "--http1.1", "--cacert", str(server.ca), "-X", method, *secret, "--max-time", "90", "-o", "/dev/null"]
    url = f"{server.url}/api/v1/namespaces/default/pods/agent"
    done = subprocess.run([*entering(group), *curl, "-w", "%{http_code}", url], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def recorded(store: Path) -> dict[str, tuple[str, str, str]]:
    """Outcomes, by hold."""
    engine = Embedded(store / "clickhouse")
    rows: list[dict[str, Any]] = [
        json.loads(row["document"]) for row in engine.rows("SELECT document FROM records WHERE kind = 'outcome' LIMIT 1 BY id")
    ]
    engine.close()
    return {row["id"]: (row["order"], row["result"], row["digest"]) for row in rows}
