import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.collector.ingest.leftovers import KNOWN_LIMIT, Damages, Opener
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import SessionId
from chaperone.proto.records import NO_SESSION, Note, SessionEnded
from chaperone.proto.sealed import KEY_SIZE, Frames, SealError, public_of, seal_key

PRIVATE, KEY = X25519PrivateKey.generate(), os.urandom(KEY_SIZE)
BATCH = pb.Batch(number=3, records=b"x", size=1)


def leftover(agent: str = "a", **what: object) -> pb.Leftover:
    told = pb.Leftover(agent=agent, sealed_key=seal_key(KEY, agent, public_of(PRIVATE)), number=3, frame=Frames(KEY, agent).seal(BATCH))
    told.MergeFrom(pb.Leftover(**what))  # type: ignore[arg-type]
    return told


def test_a_frame_becomes_the_batch_that_it_was() -> None:
    assert Opener(PRIVATE).batch(leftover()) == BATCH


def test_a_damaged_frame_is_nothing() -> None:
    assert Opener(PRIVATE).batch(leftover(frame=b"spoilt")) is None
    assert Opener(PRIVATE).batch(leftover(number=4)) is None


def test_the_last_word_is_in_the_clear_but_taken_only_with_the_frames() -> None:
    assert Opener(PRIVATE).batch(leftover(last=BATCH)) == BATCH
    with pytest.raises(SealError):
        Opener(X25519PrivateKey.generate()).batch(leftover(last=BATCH))


@pytest.mark.parametrize("opener", [Opener(), Opener(X25519PrivateKey.generate())])
def test_without_the_right_key_it_is_refused(opener: Opener) -> None:
    with pytest.raises(SealError):
        opener.batch(leftover())


def test_a_collector_without_a_key_names_none() -> None:
    assert (Opener().public, Opener(PRIVATE).public) == (b"", public_of(PRIVATE))


def test_keys_at_hand_are_bounded() -> None:
    opener = Opener(PRIVATE)
    for number in range(KNOWN_LIMIT + 5):
        opener.batch(leftover(f"agent {number}"))
    assert len(opener._known) == KNOWN_LIMIT


def test_the_last_word_of_what_was_given_up_is_anybodys() -> None:
    word = pb.Leftover(agent="a", last=BATCH)
    assert Opener().batch(word) == Opener(PRIVATE).batch(word) == BATCH


def test_damaged_frames_are_told_once_in_each_session_that_ends() -> None:
    damages, ends = Damages(), [SessionEnded(SessionId(name), 7) for name in "xy"]
    assert damages.told("a", [*ends]) == ends
    for number in (3, 4, 3):
        damages.add("a", number)
    damages.add("b", 1)
    *notes, first, second = damages.told("a", [*ends])
    assert [first, second] == ends
    assert notes == [Note(end.session, 7, "spool", "2 batches of agent a could not be opened", complete=False) for end in ends]


def test_damaged_frames_of_no_session_are_told_all_the_same() -> None:
    damages = Damages()
    damages.add("a", 3)
    assert damages.told("a", []) == [Note(NO_SESSION, 0, "spool", "1 batches of agent a could not be opened", complete=False)]


def test_agents_whose_frames_are_damaged_are_bounded() -> None:
    damages = Damages()
    for number in range(KNOWN_LIMIT + 5):
        damages.add(f"agent {number}", 1)
    assert len(damages._numbers) == KNOWN_LIMIT
