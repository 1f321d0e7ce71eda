"""A store whose file system is full: nothing that isn't stored is acked, the agent is told, and it goes on when there is space."""

import http.client
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from support.collectors import ask, batch, collector, hello, send, talk
from support.conversations import Conversation
from support.receivers import free_port, until
from support.small_disk import small_disk
from support.tls_directories import SERVER, authority, tls_directory

from chaperone.proto import capture_pb2 as pb

SIZE = "90m"
FILLER = 74 << 20
PATIENCE_S = 60
CALLS = 40


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory on a small file system of its own."""
    with small_disk(tmp_path / "small", SIZE) as directory:
        yield directory


def messages() -> list[pb.Upward]:
    """Calls whose answers hardly compress, a megabyte each."""
    talk, noise = Conversation(), random.Random(7)
    groups = [talk.begun()]
    for n in range(CALLS):
        data = {"kind": "ConfigMap", "apiVersion": "v1", "data": {"noise": noise.randbytes(500_000).hex()}}
        groups.append(talk.exchange(f"/api/v1/namespaces/default/configmaps/c{n}", data))
    groups.append(talk.ended())
    return [batch(number, group) for number, group in enumerate(groups, 1)]


def test_a_full_disk_is_said_and_survived(small: Path) -> None:
    filler, store = small / "filler", small / "store"
    filler.write_bytes(b"\0" * FILLER)
    wanted, address = messages(), f"127.0.0.1:{free_port()}"
    tls = tls_directory(small.parent / "tls", authority(), SERVER)
    with collector(store, "--metrics", address, "--tls", str(tls)):
        assert is_ready(address, tls)
        highest, refusal = talk(store, [hello(), *wanted])
        assert 0 < highest < len(wanted)
        assert refusal is not None and refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "cannot store anything now: no space left" in refusal.details()
        until(lambda: not is_ready(address, tls))  # what was said within the last second is said again
        assert len(ask(store, "calls.list")) >= highest - 1
        assert send(store, [hello()])[0].welcome.next_batch == highest + 1
        filler.unlink()
        _send_until_taken(store, wanted)
        assert [call["name"] for call in ask(store, "calls.list")] == [f"c{n}" for n in range(CALLS)]
        assert ask(store, "sessions.list")[0]["missing"] == []
        until(lambda: is_ready(address, tls))


def is_ready(address: str, tls: Path) -> bool:
    """As a kubelet is told, which shows no certificate."""
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    connection = http.client.HTTPSConnection(address, timeout=20, context=context)
    with closing(connection):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK


def _send_until_taken(store: Path, wanted: list[pb.Upward]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (answer := talk(store, [hello(), *wanted]))[1] is not None:
        assert answer[1].code() is grpc.StatusCode.RESOURCE_EXHAUSTED, answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.3)
    assert answer[0] == len(wanted)
