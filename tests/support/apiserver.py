"""The demo API server as a fixture: a subprocess with a directory, a port and a KUBECONFIG."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/demo/apiserver.py"


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running server. `directory` holds kubeconfig, token, ca.crt, requests.jsonl and plaintext/."""

    directory: Path
    port: int

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.directory / "token").read_text()

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    def requests(self) -> list[dict[str, Any]]:
        """What was asked so far: connection, auditID, method, requestURI, userAgent, code."""
        return [json.loads(line) for line in (self.directory / "requests.jsonl").read_text().splitlines()]

    def plaintext(self, connection: int) -> tuple[bytes, bytes]:
        """What connection n's client sent and was sent."""
        stem = self.directory / "plaintext" / str(connection)
        return stem.with_suffix(".out").read_bytes(), stem.with_suffix(".in").read_bytes()

    def connections(self) -> dict[int, dict[str, Any]]:
        """By number: the client's address and the ALPN protocol."""
        files = (self.directory / "plaintext").glob("*.json")
        return {int(file.stem): json.loads(file.read_text()) for file in files}


@contextmanager
def running(directory: Path, *options: str) -> Iterator[ApiServer]:
    """A server that lives as long as the block."""
    command = [sys.executable, str(SCRIPT), "--dir", str(directory), "--log-plaintext", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield ApiServer(directory, json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def apiserver(tmp_path: Path) -> Iterator[ApiServer]:
    """A fresh server for one test."""
    with running(tmp_path / "apiserver", "--pause", "0.05") as server:
        yield server
