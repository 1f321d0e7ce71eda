"""One workload does all it can to be in the way; nine others on the same node are decided on as ever."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import ask, collector
from support.enforced import until
from support.governed_run import CHAPERONE, HEAD
from support.kernel import cgroup, entering, skip_without_kernel

from chaperone.agent.hold.holds import SPENT

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
OTHERS, ASKED = 9, 8
WORSE = 40  # times as long: it has two processors with us, and whoever else is there
RULES = '- {name: deletions, when: call.verb == "delete", do: approve, holdLimit: 10m, enforce: enforce}\n'
BEGIN = """
import http.client, json, pathlib, ssl, sys, threading, time
port, ca, token, end, result = sys.argv[1:]
context, told = ssl.create_default_context(cafile=ca), {"Authorization": "Bearer " + token}
def peer(): return http.client.HTTPSConnection("127.0.0.1", int(port), context=context, timeout=120)
def ask(one, method, path=""):
    one.request(method, "/api/v1/namespaces/default/pods" + path, headers=told)
    answer = one.getresponse()
    answer.read()
    return answer.status
"""
FLOOD = """
import os, pathlib, signal, sys, time
parent, begin = int(sys.argv[1]), pathlib.Path(sys.argv[2])
signal.signal(signal.SIGUSR2, lambda *_: None)
while not begin.exists(): time.sleep(0.05)
while os.getppid() == parent: os.kill(os.getpid(), signal.SIGUSR2)
"""
HOSTILE = (
    BEGIN
    + f"FLOOD = {FLOOD!r}"
    + """
import os, subprocess
ask(peer(), "GET")  # from its first held call on it is traced, and all that come of it
flooders = [subprocess.Popen([sys.executable, "-c", FLOOD, str(os.getpid()), result]) for _ in range(2)]
begin = threading.Event()  # so that those who ask leave us time to start the others
def waits():
    begin.wait()
    ask(peer(), "DELETE", "/agent")
def asks():
    begin.wait()
    while True:
        try: ask(peer(), "GET")
        except (OSError, http.client.HTTPException): pass
for work in [waits] * 40 + [asks] * 8: threading.Thread(target=work, daemon=True).start()
pathlib.Path(result).touch()
begin.set()
while not pathlib.Path(end).exists(): time.sleep(0.05)
for each in flooders: each.kill()
"""
)
POLITE = (
    BEGIN
    + f"""
one, found = peer(), []
for _ in range({ASKED}):
    began = time.monotonic()
    found.append((ask(one, "GET"), time.monotonic() - began))
pathlib.Path(result).write_text(json.dumps(found))
"""
)


@dataclass
class Node:
    """Ten enforced workloads of one agent."""

    place: Path
    server: ApiServer
    cgroups: list[Path]
    started: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self, number: int, program: str, result: str) -> "subprocess.Popen[bytes]":
        told = [self.server.port, self.server.ca, self.server.token, self.place / "end", self.place / result]
        argv = [*entering(self.cgroups[number]), sys.executable, "-c", program, *map(str, told)]
        self.started.append(subprocess.Popen(argv, stderr=subprocess.DEVNULL))
        return self.started[-1]

    def asked(self, name: str) -> list[float]:
        """How long the others' requests took, all of which were answered."""
        running = [self.start(number, POLITE, f"{name}{number}") for number in range(OTHERS)]
        assert [each.wait(240) for each in running] == [0] * OTHERS
        found = [each for number in range(OTHERS) for each in json.loads((self.place / f"{name}{number}").read_text())]
        assert [status for status, _ in found] == [200] * OTHERS * ASKED
        return [took_s for _, took_s in found]


@contextmanager
def node(tmp_path: Path, server: ApiServer, *more: str) -> Iterator[Node]:
    skip_without_kernel()
    (tmp_path / "policy.yaml").write_text(HEAD + RULES)
    (tmp_path / "session.json").write_text(json.dumps({"mode": "enforce", "on_failure": "deny", "verdict_timeout_s": "60"}))
    with ExitStack() as stack:
        cgroups = [stack.enter_context(cgroup()) for _ in range(OTHERS + 1)]
        stack.enter_context(collector(tmp_path / "store", "--policy", str(tmp_path / "policy.yaml")))
        ready, told = os.pipe()
        options = [
            "--socket",
            tmp_path / "store/collector.sock",
            "--session",
            tmp_path / "session.json",
            "--spool",
            tmp_path / "spool",
            "--ready-fd",
            str(told),
            *more,
        ]
        command = [sys.executable, "-m", "chaperone.agent", *(word for path in cgroups for word in ("--cgroup", path)), *options]
        agent = stack.enter_context(subprocess.Popen(command, pass_fds=(told,), stdout=subprocess.DEVNULL))
        os.close(told)
        with os.fdopen(ready) as line:
            assert line.readline()
        it = Node(tmp_path, server, cgroups)
        try:
            yield it
            agent.terminate()
            assert agent.wait(90) == 0
        finally:
            agent.kill()
            for each in it.started:
                each.kill()


def test_one_hostile_workload_does_not_harm_nine(tmp_path: Path, apiserver: ApiServer) -> None:
    with node(tmp_path, apiserver) as it:
        before = it.asked("before")
        hostile = it.start(OTHERS, HOSTILE, "hostile")
        until((tmp_path / "hostile").exists)
        during = it.asked("during")
        assert hostile.poll() is None
        (tmp_path / "end").touch()
        hostile.wait(60)
        assert statistics.median(during) < WORSE * statistics.median(before)
        assert "DELETE" not in [asked["method"] for asked in apiserver.requests()]


def test_that_one_waits_for_its_tracer_is_in_status(tmp_path: Path, apiserver: ApiServer) -> None:
    """With so little of a processor that any machine gives it that."""
    with node(tmp_path, apiserver, "--cpu", "10") as it:
        hostile = it.start(OTHERS, HOSTILE, "hostile")
        until(lambda: any(SPENT in one["why"] for one in ask(tmp_path / "store", "workloads.status")))
        (tmp_path / "end").touch()
        hostile.wait(60)
        command = [CHAPERONE, "status", "--store", tmp_path / "store", "-o", "json"]
        status = json.loads(subprocess.run(command, stdout=-1, text=True, check=True).stdout)
    assert [SPENT in one["why"] for one in status["workloads"]].count(True) == 1
