"""A node's agent starts beside everything that may be wrong with what dead ones left: each is in its log and in the store."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from support.collectors import ask, collector
from support.conversations import Conversation, pods
from support.kernel import cgroup, skip_without_kernel

from chaperone.agent.deliver.leftovers import DIED
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.spool import Spool
from chaperone.proto.sealed import public_of

pytestmark = pytest.mark.kernel
PATIENCE_S = 60


def dead(root: Path, agent: str, key: bytes) -> Path:
    """What a killed agent leaves: a session that began, and a call."""
    spool = Spool(root, agent, 1 << 30, "boot")
    if key:
        spool.seal_to(key)
    outbox, one = Outbox(Limits(batch=1), spool), Conversation(agent)
    for record in [*one.begun(), *one.exchange("/api/v1/pods", pods())]:
        outbox.put(record)
    os.close(spool._lock)
    return spool.folder


def started(path: Path, store: Path, log: Path) -> "subprocess.Popen[bytes]":
    ready, told = os.pipe()
    options = ["--cgroup", str(path), "--socket", str(store / "collector.sock"), "--spool", str(store / "spool")]
    with log.open("wb") as errors:
        command = [sys.executable, "-m", "chaperone.agent", *options, "--ready-fd", str(told)]
        process = subprocess.Popen(command, pass_fds=(told,), stdout=subprocess.DEVNULL, stderr=errors)
    os.close(told)
    with os.fdopen(ready) as line:
        assert "session" in line.readline()
    return process


def missing(store: Path, agent: str) -> list[str]:
    [row] = ask(store, "session.summary", session=Conversation(agent).session)
    assert row["ended"]
    return [str(sentence) for sentence in row["missing"]]


def test_all_of_it_is_stated(tmp_path: Path) -> None:
    skip_without_kernel()
    store, log = tmp_path / "store", tmp_path / "log"
    with cgroup() as path, collector(store):
        spool, ours = store / "spool", base64.b64decode((store / "spool.pub").read_bytes())
        foreign = dead(spool, "foreign", public_of(X25519PrivateKey.generate()))
        dead(spool, "keyless", b"")
        torn = next(dead(spool, "torn", ours).glob("*.segment"))
        torn.write_bytes(torn.read_bytes()[:-10])
        forged = next(dead(spool, "forged", ours).glob("*.segment"))
        (spool / "copied").mkdir()
        for file in forged.parent.iterdir():
            (spool / "copied" / file.name).write_bytes(file.read_bytes().replace(b'"forged"', b'"copied"'))
        (spool / "broken/lock").mkdir(parents=True)
        process, deadline = started(path, store, log), time.monotonic() + PATIENCE_S
        while {"keyless", "torn", "forged"} & {entry.name for entry in spool.iterdir()} or "foreign" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        said, stray = log.read_text(), [note["text"] for note in ask(store, "status")[0]["notes"]]
        for text in ("what agent keyless left is given up: ", "foreign left wait in ", f"{spool}/broken can't be read and stays"):
            assert text in said and any(text in note for note in stray), (text, said, stray)
        assert "copied left wait in" in said, "sealed under another agent's name"
        assert foreign.exists() and (spool / "broken").exists() and (spool / "copied").exists()
        assert any("its last batches were given up" in sentence for sentence in missing(store, "keyless"))
        assert any("could not be read, or were cut off" in sentence for sentence in missing(store, "torn"))
        assert any(DIED in sentence for sentence in missing(store, "forged"))
        assert [call["verb"] for call in ask(store, "calls.list", session=Conversation("forged").session)] == ["list"]
