"""The socket of decisions: real clients, a decider made by hand."""

import asyncio
import json
import os
import stat
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from chaperone.collector.serve import decisions as module
from chaperone.collector.serve.decisions import LINE_LIMIT, deciding
from chaperone.collector.serve.peer import Peer

WORD = {"approval": "ab", "approve": True, "why": "planned"}


async def decide(peer: Peer, word: Mapping[str, Any]) -> Mapping[str, Any]:
    why = word["why"]
    if why == "slow":
        await asyncio.sleep(60)
    if why == "bad":
        raise ValueError("that does not count")
    return {"by": peer.pid, **word}


def told(path: Path, line: bytes) -> dict[str, Any]:
    async def talk() -> bytes:
        async with deciding(path, decide, nullcontext()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(line)
            writer.write_eof()
            found = await reader.read()
            writer.close()
            return found

    found: dict[str, Any] = json.loads(asyncio.run(talk()))
    assert not path.exists()
    return found


def test_a_word_is_handed_on_with_who_said_it(tmp_path: Path) -> None:
    for word in (WORD, {"kill": "process", "id": "ab", "why": "x"}):
        assert told(tmp_path / "d.sock", json.dumps(word).encode() + b"\n") == {"done": {"by": os.getpid(), **word}}


ODD = {
    "no json": b"{\n",
    "deep": b"[" * 5000 + b"\n",
    "no object": b"[]\n",
    "a key too few": json.dumps({"approval": "a", "approve": True}).encode() + b"\n",
    "a key too many": json.dumps(WORD | {"who": "root"}).encode() + b"\n",
    "another type": json.dumps(WORD | {"approve": "yes"}).encode() + b"\n",
    "no line": json.dumps(WORD).encode(),
    "too long": b"x" * (LINE_LIMIT + 10) + b"\n",
    "refused": json.dumps(WORD | {"why": "bad"}).encode() + b"\n",
}


@pytest.mark.parametrize("what", ODD)
def test_anything_else_is_answered_with_a_sentence(tmp_path: Path, what: str) -> None:
    found = told(tmp_path / "d.sock", ODD[what])
    assert found.keys() == {"error"}
    assert found["error"].startswith("that does not count" if what == "refused" else "expected")


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    assert told(tmp_path / "d.sock", json.dumps(WORD | {"why": "slow"}).encode() + b"\n")["error"].startswith("nothing was decided in time")


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "d.sock").touch()
    assert "done" in told(tmp_path / "d.sock", json.dumps(WORD).encode() + b"\n")
