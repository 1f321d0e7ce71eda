"""TLS that nobody can read, as a user sees it: while it goes on, in every place that tells, and in the exit of the run."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.c_peer import built
from support.collectors import leave
from support.kernel import skip_without_kernel
from support.tls_server import TlsServer, tls_server

from chaperone.collector.cli.ask import ask
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.store.directory import holder

pytestmark = pytest.mark.kernel
CHAPERONE = Path(sys.executable).with_name("chaperone")
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: own}
rules:
- {name: openssl-by-itself, when: 'tls.unread && tls.stack == "OpenSSL" && tls.host == "localhost" && !tls.apiserver', do: alert}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "store"
    yield place
    leave(place)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    skip_without_kernel()
    with tls_server(tmp_path) as opened:
        yield opened


def listed(store: Path, question: str) -> list[dict[str, Any]]:
    return list(ask(store, question, session="latest"))


def rules_that_spoke(store: Path) -> set[str]:
    """By now. While no collector has the store there are none, and we must not open it ourselves."""
    with suppress(CommandError):  # no session yet
        return {verdict["rule"] for verdict in listed(store, "verdicts.list")} if holder(store) else set()
    return set()


def test_a_program_that_nobody_reads_is_told_of_while_it_runs(store: Path, server: TlsServer, tmp_path: Path) -> None:
    program, policy = built("stays", tmp_path, "-static", "-s", "-lssl", "-lcrypto"), tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    options = ["--store", store, "--policy", policy, "--apiserver", "192.0.2.1:6443"]
    argv = [CHAPERONE, "run", *options, "--", program, str(server.port), server.certificate]
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        deadline = time.monotonic() + 180  # agent and collector start first
        while (spoke := rules_that_spoke(store)) != {"unread-tls", "openssl-by-itself"}:
            assert time.monotonic() < deadline, spoke
            time.sleep(0.3)
        assert process.poll() is None
        [open_one] = listed(store, "connections.list")
        assert (open_one["unread"], open_one["serverName"], "ended" in open_one) == ("OpenSSL", "localhost", False)
        shown = subprocess.check_output([CHAPERONE, "connections", "list", "--store", store], text=True)
        assert "not read (OpenSSL)" in shown
        _, err = process.communicate("", timeout=60)
    assert process.returncode == 0
    assert "2 alerts" in err
    [ended] = listed(store, "connections.list")
    assert (ended["unread"], ended["captured"], ended["coverage"]["out"]) == ("OpenSSL", {"out": 0, "in": 0}, "gap: 11 bytes")
    [session] = listed(store, "sessions.show")
    [note] = [note for note in session["notes"] if note["subject"] == "connection"]
    assert note["text"].startswith(f"TLS from an uninstrumented process: {program} (pid {ended['pid']}, OpenSSL) to {ended['remote']}")
