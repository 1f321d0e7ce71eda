import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.collector.ingest.leftovers import KNOWN_LIMIT, Opener
from chaperone.proto import capture_pb2 as pb
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
