"""Frames in a file, whole or not at all."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.agent.deliver import segment
from chaperone.agent.deliver.segment import DamagedError, Frame, Segment, frames_in
from chaperone.proto.ids import SessionId

FRAMES = [Frame(number, random.Random(number).randbytes(number * 7)) for number in range(1, 9)]


def written(folder: Path) -> tuple[Segment, list[int]]:
    file, places = Segment(folder, 1), list[int]()
    for frame in FRAMES:
        places.append(file.size)
        file.append(frame)
    return file, places


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file, _ = written(tmp_path)
    assert [file.read(frame.number) for frame in FRAMES] == FRAMES
    assert (list(frames_in(file.path)), file.last, file.size) == (FRAMES, 8, file.path.stat().st_size)
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_cut_anywhere_the_whole_frames_before_are_there(tmp_path: Path) -> None:
    file, places = written(tmp_path)
    data = file.path.read_bytes()
    for cut in range(len(data)):
        file.path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in [*places[1:], len(data)])
        assert list(frames_in(file.path)) == FRAMES[:whole]


def test_a_turned_bit_costs_its_frame_or_what_follows_and_makes_none_up(tmp_path: Path) -> None:
    file, places = written(tmp_path)
    data = file.path.read_bytes()
    for at in range(len(data)):
        file.path.write_bytes(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :])
        hit = sum(place <= at for place in places)
        found = list(frames_in(file.path))
        assert found in (FRAMES[: hit - 1], FRAMES[: hit - 1] + FRAMES[hit:])
        is_in_head = at - places[hit - 1] < segment.HEAD.size
        assert is_in_head == (found == FRAMES[: hit - 1]) or hit == len(FRAMES)


def test_a_damaged_frame_is_not_read(tmp_path: Path) -> None:
    file, places = written(tmp_path)
    data = bytearray(file.path.read_bytes())
    data[places[3] + segment.HEAD.size] ^= 1
    file.path.write_bytes(data)
    with pytest.raises(DamagedError):
        file.read(4)
    assert file.read(5) == FRAMES[4]


def test_behind_a_damaged_head_nothing_is_read_and_everything_can_be_released(tmp_path: Path) -> None:
    file, places = written(tmp_path)
    data = bytearray(file.path.read_bytes())
    data[places[3]] ^= 1
    file.path.write_bytes(data)
    for number in (4, 5, 8):
        with pytest.raises(DamagedError, match=f"frame {number}"):
            file.read(number)
    assert file.read(3) == FRAMES[2]
    file.release(6)
    assert file.released == places[3]
    file.release(8)
    assert file.released == file.size


@settings(max_examples=100, deadline=None)
@given(numbers=st.lists(st.integers(1, 8), max_size=20), through=st.integers(0, 8))
def test_frames_are_read_in_any_order_and_released_in_theirs(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], through: int
) -> None:
    file, places = written(tmp_path_factory.mktemp("segment"))
    file.parts.update({SessionId("x"): 3})
    assert file.release(through) == ({"x": 3} if through == 8 else {})
    assert file.released == [*places, file.size][through]
    for number in numbers:
        if number > through:
            assert file.read(number) == FRAMES[number - 1]
    file.close()


def test_a_number_that_was_never_written_is_not_read(tmp_path: Path) -> None:
    file, _ = written(tmp_path)
    file.append(Frame(12, b"behind a gap"))
    for number in (9, 11, 13):
        with pytest.raises(DamagedError):
            file.read(number)
    assert file.read(12).data == b"behind a gap"
    file.release(10)
    assert file.read(12).data == b"behind a gap"


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.segment"
    path.write_bytes(data)
    list(frames_in(path))


def test_a_length_out_of_bounds_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.segment"
    head = segment._SAID.pack(segment.FRAME_LIMIT + 1, 1)
    path.write_bytes(head + segment.TAIL.pack(segment.crc32(head)) + b"x" * 100)
    assert list(frames_in(path)) == []


def test_a_write_that_fails_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, _ = written(tmp_path)
    size, pwrite = file.size, os.pwrite

    def half(descriptor: int, data: bytes, at: int) -> int:
        if at > size:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, bytes(data[:5]), at)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(OSError, match="No space"):
        file.append(Frame(9, b"x" * 100))
    monkeypatch.undo()
    assert file.path.stat().st_size == size
    file.append(Frame(9, b"y"))
    assert list(frames_in(file.path)) == [*FRAMES, Frame(9, b"y")]


def test_a_removed_segment_is_gone(tmp_path: Path) -> None:
    file, _ = written(tmp_path)
    file.remove()
    assert list(tmp_path.iterdir()) == []
