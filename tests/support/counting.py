"""Servers that count what their handlers were asked: Go's net/http, and node's HTTP/2 (nghttp2)."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.certificates import authority
from support.go_peer import PEERS

NODE: list[str | Path] = ["node", "--max-http-header-size=65536", PEERS / "counting_server.js"]
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {{name: agents}}
rules:
- {{name: no, when: call.namespace == "denied", do: deny, enforce: {enforce}, message: never}}
"""


@contextmanager
def serving(command: list[str | Path], place: Path) -> Iterator[dict[str, int]]:
    """A counting server with a certificate of `place`; its ports."""
    place.mkdir(exist_ok=True)
    authority(place)
    (place / "ca.crt").write_bytes((place / "ca.pem").read_bytes())
    for name in ("server.crt", "server.key"):
        (place / name).write_bytes((place / "server.pem").read_bytes())
    argv = [*command, place / "server.crt", place / "server.key"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def handled(ports: dict[str, int]) -> list[list[Any]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['counts']}/", timeout=30) as answer:
        found: list[list[Any]] = json.load(answer) or []
        return found
