"""A run of another user, nobody, whose requests wait until root decides: one may not approve one's own."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.apiserver import ApiServer, running
from support.collectors import ask, collector

BIN = Path(sys.executable).parent
WAIT_S = 240  # a busy machine takes a minute to begin


class Place:
    """A folder that another user can read, with an API server, and a store that only we can."""

    def __init__(self, directory: Path, server: ApiServer) -> None:
        self.directory, self.server, self.store = directory, server, directory / "store"
        (directory / "home").mkdir()
        (directory / "home").chmod(0o777)

    def run(self, policy: str, *command: str) -> "subprocess.Popen[str]":
        """A command as nobody, governed."""
        (self.directory / "policy.yaml").write_text(policy)
        options = ["--store", self.store, "-u", "nobody", "--policy", self.directory / "policy.yaml"]
        paths = f"{self.directory}:{os.environ['PATH']}"
        environment = {**os.environ, "KUBECONFIG": str(self.server.kubeconfig), "HOME": str(self.directory / "home"), "PATH": paths}
        argv = [BIN / "chaperone", "run", *options, "--", *command]
        return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")

    def say(self, word: str, approval: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
        command = [BIN / "chaperone", "approvals", word, approval["id"][:12], "--reason", "planned", "--store", self.store]
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)

    def waiting(self, state: str) -> list[dict[str, Any]]:
        return ask(self.store, "approvals.list", state=state)


@contextmanager
def nobodys(*programs: Path) -> Iterator[Place]:
    """Where nobody finds copies of these programs."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    for program in programs:
        shutil.copy(program, directory)
    try:
        with running(directory / "apiserver") as server, collector(directory / "store"):
            for file in (server.directory, *server.directory.rglob("*")):
                file.chmod(0o755)
            yield Place(directory, server)
    finally:
        shutil.rmtree(directory)


def until(found: Callable[[], Any], run: "subprocess.Popen[str]") -> Any:
    """What is found before the run ends."""
    deadline = time.monotonic() + WAIT_S
    while not (result := found()):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return result


def ended(run: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = run.communicate(timeout=WAIT_S)
    return run.returncode, out, err
