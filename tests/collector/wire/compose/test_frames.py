from hypothesis import given
from hypothesis import strategies as st
from support.composing import cut

from chaperone.collector.wire.compose.frames import WANTED_LIMIT, Frame, Frames, Kind
from chaperone.proto.refusals import frame

SENT = [frame(1, 4, 1, b"block"), frame(8, 0, 0, b"\0\0\1\0"), frame(0, 1, 1, b""), frame(4, 0, 0, b"x" * 12)]
KNOWN = [Frame(7, 5, 1, 4, 1), Frame(21, 4, 8, 0, 0, b"\0\0\1\0"), Frame(34, 0, 0, 1, 1), Frame(43, 12, 4, 0, 0, b"x" * 12)]


@given(st.lists(st.integers(0, 100), max_size=20))
def test_cut_anywhere_the_frames_are_the_same(cuts: list[int]) -> None:
    frames = Frames(7, (Kind.WINDOW_UPDATE, Kind.SETTINGS))
    assert [each for piece in cut(b"".join(SENT), cuts) for each in frames.feed(piece)] == KNOWN
    assert frames.border == frames.end == 64


def test_a_frame_is_known_from_its_ninth_byte_on() -> None:
    frames = Frames()
    assert not frames.feed(SENT[0][:8]) and frames.border == 0
    assert frames.feed(SENT[0][8:9]) == [Frame(0, 5, 1, 4, 1)] and frames.border == 14


def test_one_whose_payload_is_wanted_from_its_last_byte_on() -> None:
    frames = Frames(wanted=(Kind.WINDOW_UPDATE,))
    assert not frames.feed(SENT[1][:-1]) and frames.border == 0
    assert len(frames.feed(SENT[1][-1:])) == 1


def test_a_huge_payload_is_not_kept_though_it_is_wanted() -> None:
    [found] = Frames(wanted=(Kind.SETTINGS,)).feed(frame(4, 0, 0, b"x" * (WANTED_LIMIT + 1))[:9])
    assert found.payload == b"" and found.size == WANTED_LIMIT + 1


def test_the_reserved_bit_is_no_part_of_the_number() -> None:
    assert Frames().feed(b"\0\0\0\0\0\x80\0\0\x05")[0].number == 5
