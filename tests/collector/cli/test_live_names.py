"""Names that a run asked for, as a user sees them: beside its connections, and in rules. glibc asks a real name server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.collectors import leave
from support.kernel import skip_without_kernel
from support.name_server import ALIAS, Place, name_server

from chaperone.collector.cli.ask import ask

pytestmark = pytest.mark.kernel
CHAPERONE = Path(sys.executable).with_name("chaperone")
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: own}
rules:
- {name: by-host, when: 'egress.external && egress.host == "alias.zoo.test"', do: alert}
- {name: by-name, when: 'egress.names.exists(n, n.endsWith(".zoo.test"))', do: alert}
- {name: by-address, when: 'egress.address == "127.0.0.9" && egress.port == 9', do: alert}
- {name: another, when: 'egress.host == "real.zoo.test"', do: alert}
"""
SAY = f"""
import socket
[(*_, address), *_] = socket.getaddrinfo({ALIAS!r}, 9, socket.AF_INET, socket.SOCK_DGRAM)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", address)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "store"
    yield place
    leave(place)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    skip_without_kernel()
    with name_server(tmp_path) as found:
        yield found


def listed(store: Path, question: str) -> list[dict[str, Any]]:
    return list(ask(store, question, session="latest"))


def test_a_name_that_was_asked_for_is_shown_and_judged(store: Path, place: Place, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    options = ["--store", store, "--policy", policy, "--apiserver", "192.0.2.1:6443"]
    command = [CHAPERONE, "run", *options, "--", *place.inside([sys.executable, "-c", SAY])]
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    names = {one["remote"]: one["names"] for one in listed(store, "connections.list")}
    assert names == {"127.0.0.1:53": [], "127.0.0.9:9": [ALIAS]}
    verdicts = {verdict["rule"]: verdict["about"] for verdict in listed(store, "verdicts.list")}
    assert verdicts == {key: {"host": f"{ALIAS}:9"} for key in ("by-host", "by-name", "by-address")}
    shown = subprocess.check_output([CHAPERONE, "connections", "list", "--store", store], text=True)
    [line] = [line for line in shown.splitlines() if "127.0.0.9:9" in line]
    assert line.split()[3:5] == [ALIAS, "udp"]
