import os
from pathlib import Path

import pytest

from chaperone.agent.deliver.spool import Spool
from chaperone.agent.deliver.start import GIVEN_UP, found_in
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import SessionId


def dead(root: Path, numbers: range) -> Path:
    spool = Spool(root, "a", 1 << 30, "boot")
    spool.begin(SessionId("s"))
    for number in numbers:
        assert spool.append(wire.Batch(number=number, records=bytes(100), size=100), {})
    os.close(spool._lock)
    return spool.folder


def test_what_a_dead_agent_said_of_itself_is_found(tmp_path: Path) -> None:
    start = found_in(dead(tmp_path, range(4, 7)))
    assert start is not None
    assert (start.agent, start.boot, start.sessions) == ("a", "boot", ("s",))
    assert [frame.number for frame in start.frames()] == [4, 5, 6] and list(start.damages()) == []
    start.close()


def test_a_living_agent_is_left_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", 1 << 30)
    assert found_in(spool.folder) is None
    spool.close()


def test_what_was_given_up_is_remembered_and_never_told_smaller(tmp_path: Path) -> None:
    folder = dead(tmp_path, range(1, 3))
    first = found_in(folder)
    assert first is not None
    size = first.size()
    first.give_up("there is no room")
    first.close()
    (folder / "0000000000000005.segment").write_bytes(b"left by a death in the middle of it")
    second = found_in(folder)
    assert second is not None
    second.give_up("there is no room")
    assert second.given_up == (folder / GIVEN_UP).read_text() == f"{size} bytes, since there is no room"
    assert list(second.damages()) == [f"its last batches were given up: {second.given_up}"] and second.size() == 0
    second.remove()
    assert not folder.exists()


def test_a_folder_that_cannot_be_looked_into_keeps_its_lock_free(tmp_path: Path) -> None:
    folder = dead(tmp_path, range(1, 3))
    (folder / GIVEN_UP).mkdir()
    with pytest.raises(IsADirectoryError):
        found_in(folder)
    (folder / GIVEN_UP).rmdir()
    start = found_in(folder)
    assert start is not None
    start.close()
