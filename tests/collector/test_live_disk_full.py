"""A store whose file system is full: nothing that isn't stored is acked, the agent is told, and it goes on when there is space."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from support.collectors import acked, ask, batch, collector, hello, send
from support.conversations import Conversation

from chaperone.proto import capture_pb2 as pb

SIZE = "40m"
FILLER = 20 << 20
PATIENCE_S = 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory on a small file system of its own."""
    directory = tmp_path / "small"
    directory.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = f"mounting a small file system: {done.stderr.strip()}"
        (pytest.fail if os.environ.get("CHAPERONE_KERNEL_TESTS") == "require" else pytest.skip)(reason)
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def messages() -> list[pb.Upward]:
    """Calls whose answers hardly compress, a megabyte each."""
    talk, noise = Conversation(), random.Random(7)
    groups = [talk.begun()]
    for n in range(30):
        data = {"kind": "ConfigMap", "apiVersion": "v1", "data": {"noise": noise.randbytes(500_000).hex()}}
        groups.append(talk.exchange(f"/api/v1/namespaces/default/configmaps/c{n}", data))
    groups.append(talk.ended())
    return [batch(number, group) for number, group in enumerate(groups, 1)]


def test_a_full_disk_is_said_and_survived(small: Path) -> None:
    filler, store = small / "filler", small / "store"
    filler.write_bytes(b"\0" * FILLER)
    wanted = messages()
    with collector(store):
        highest, sentence = _send_until_refused(store, wanted)
        assert 0 < highest < len(wanted)
        assert "cannot store anything now: no space left" in sentence
        assert len(ask(store, "calls.list")) >= highest - 1
        assert send(store, [hello()])[0].welcome.next_batch == highest + 1
        filler.unlink()
        _send_until_taken(store, wanted)
        assert [call["name"] for call in ask(store, "calls.list")] == [f"c{n}" for n in range(30)]
        assert ask(store, "sessions.list")[0]["missing"] == []


def _send_until_refused(store: Path, wanted: list[pb.Upward]) -> tuple[int, str]:
    """The highest acked number, and why no more was taken."""
    for count in range(1, len(wanted) + 1):
        try:
            assert acked(send(store, [hello(), *wanted[:count]]))[-1] == count
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, error
            return count - 1, str(error.details())
    return len(wanted), ""


def _send_until_taken(store: Path, wanted: list[pb.Upward]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            assert acked(send(store, [hello(), *wanted]))[-1] == len(wanted)
            return
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, error
            assert time.monotonic() < deadline, error
            time.sleep(0.3)
