"""A spool keeps batches until they are acknowledged, for nobody to read but us and the collectors' key."""

import base64
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.agent.deliver import spool as module
from chaperone.agent.deliver.segment import SUFFIX, frames_in
from chaperone.agent.deliver.spool import Spool, known_key, lock_of
from chaperone.proto.capture_pb2 import Batch
from chaperone.proto.ids import SessionId
from chaperone.proto.sealed import Frames, open_key, public_of

PRIVATE = X25519PrivateKey.generate()
SECRET = b"canary-2b7e1516"
MIB = 1 << 20


def batch(number: int, size: int = 100) -> Batch:
    return Batch(number=number, records=SECRET + bytes(size), size=size)


def segments(spool: Spool) -> list[Path]:
    return sorted(spool.folder.glob(f"*{SUFFIX}"))


def test_what_was_put_in_comes_out_until_it_is_released(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", 100 * MIB)
    for number in range(1, 30):
        assert spool.append(batch(number, MIB // 2), {})
    assert [spool.read(number) for number in (1, 17, 29)] == [batch(number, MIB // 2) for number in (1, 17, 29)]
    files = len(segments(spool))
    spool.release(15)
    assert len(segments(spool)) < files
    assert [spool.read(number) for number in (16, 29)] == [batch(number, MIB // 2) for number in (16, 29)]
    spool.release(29)
    assert segments(spool) == []


def test_whose_bytes_wait_is_known_until_their_file_is_released(tmp_path: Path) -> None:
    spool, one, other = Spool(tmp_path, "a", 100 * MIB), SessionId("one"), SessionId("other")
    for number in range(1, 13):
        spool.append(batch(number, MIB // 2), {one: 10} if number < 9 else {other: 20})
    first = [number for number in range(1, 13) if spool.sessions_beside(number) == [one]]
    assert first == [*range(1, 9)], "4 MiB a file"
    waiting = spool.waiting
    assert spool.release(3) == {} and spool.waiting < waiting - MIB
    assert spool.release(9) == {one: 80} and spool.release(9) == {}
    assert spool.release(12) == {other: 80} and spool.waiting == 0
    spool.append(batch(13), {other: 1})
    assert 0 < spool.waiting < 1000 and spool.release(13) == {other: 1}


def test_on_disk_nothing_is_readable(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", MIB)
    spool.seal_to(public_of(PRIVATE))
    spool.append(batch(1), {})
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name == "start.json"
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_the_holder_of_the_private_key_reads_what_is_left(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", MIB)
    spool.seal_to(public_of(PRIVATE))
    spool.begin(SessionId("s"))
    spool.append(batch(1), {})
    start = json.loads((tmp_path / "a" / "start.json").read_text())
    assert start["sessions"] == ["s"]
    key = open_key(base64.b64decode(start["sealed_key"]), "a", PRIVATE)
    [frame] = frames_in(segments(spool)[0])
    assert Frames(key, "a").open(frame.number, frame.data) == batch(1)


def test_past_the_limit_nothing_is_taken_until_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", 8 * MIB)
    numbers = iter(range(1, 100))
    while spool.append(batch(number := next(numbers), MIB), {}):
        continue
    assert number == 8 and "limit of 8 MiB" in spool.trouble
    spool.release(5)
    assert spool.append(batch(number, MIB), {}) and not spool.trouble
    assert spool.read(8) == batch(8, MIB)


def test_a_damaged_batch_is_none(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", MIB)
    spool.append(batch(1), {})
    spool.append(batch(2), {})
    path = segments(spool)[0]
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    assert (spool.read(1), spool.read(2)) == (None, batch(2))


def test_nothing_stays_of_a_spool_that_ended_well(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", MIB)
    spool.begin(SessionId("s"))
    spool.append(batch(1), {})
    spool.end([SessionId("s")])
    spool.release(1)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_acknowledged_stays_and_can_be_locked(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", MIB)
    spool.append(batch(1), {})
    assert lock_of(spool.folder) is None
    spool.close()
    assert segments(spool) and lock_of(spool.folder) is not None


def test_the_lock_of_a_killed_agent_is_free(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from chaperone.agent.deliver.spool import Spool
spool = Spool(Path({str(tmp_path)!r}), "dead", 1000)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert lock_of(tmp_path / "dead") is not None


def test_one_that_dies_as_it_remembers_a_key_leaves_nothing_beside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder goes when its spool was delivered; who is beside it stays."""

    goes_on = Path.replace

    def died(draft: Path, target: Path) -> Path:
        if target.parent == tmp_path:
            raise OSError(5, "it never came to that")
        return goes_on(draft, target)

    spool = Spool(tmp_path, "agent", MIB)
    monkeypatch.setattr(Path, "replace", died)
    spool.remember(public_of(PRIVATE))
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_the_key_of_a_collector_is_remembered_and_one_that_is_none_is_not(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", MIB)
    assert known_key(tmp_path) == b""
    spool.remember(b"short")
    assert "key" in spool.trouble and known_key(tmp_path) == b""
    spool.remember(public_of(PRIVATE))
    assert known_key(tmp_path) == public_of(PRIVATE)


def test_a_spool_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError, match="another user"):
        Spool(tmp_path, "a", MIB)


def test_a_start_that_could_not_be_described_is_before_the_next_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, "a", MIB)

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    spool.begin(SessionId("s"))
    assert spool.trouble == "No space left on device" and not spool.append(batch(1), {})
    monkeypatch.undo()
    assert spool.append(batch(1), {}) and json.loads((spool.folder / "start.json").read_text())["sessions"] == ["s"]
