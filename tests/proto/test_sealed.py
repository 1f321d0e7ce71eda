import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.proto.capture_pb2 import Batch
from chaperone.proto.sealed import KEY_SIZE, Frames, SealError, open_key, public_of, seal_key

PRIVATE = X25519PrivateKey.generate()
KEY = os.urandom(KEY_SIZE)


def test_a_key_is_opened_by_the_private_half_alone() -> None:
    sealed = seal_key(KEY, "agent", public_of(PRIVATE))
    assert open_key(sealed, "agent", PRIVATE) == KEY
    assert KEY not in sealed
    with pytest.raises(SealError):
        open_key(sealed, "agent", X25519PrivateKey.generate())


def test_a_sealed_key_belongs_to_its_agent() -> None:
    sealed = seal_key(KEY, "agent", public_of(PRIVATE))
    with pytest.raises(SealError):
        open_key(sealed, "another", PRIVATE)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(32), bytes(80), os.urandom(80)])
def test_what_is_no_sealed_key_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealError):
        open_key(sealed, "agent", PRIVATE)


def test_the_same_key_sealed_twice_looks_different() -> None:
    public = public_of(PRIVATE)
    assert seal_key(KEY, "agent", public) != seal_key(KEY, "agent", public)


def test_a_frame_opens_as_its_own_number_of_its_own_agent_only() -> None:
    batch = Batch(number=7, wall_offset_ns=-5, records=b"secret records", size=14)
    frame = Frames(KEY, "agent").seal(batch)
    assert b"secret" not in frame
    assert Frames(KEY, "agent").open(7, frame) == batch
    for frames, number in ((Frames(KEY, "agent"), 8), (Frames(KEY, "another"), 7), (Frames(os.urandom(KEY_SIZE), "agent"), 7)):
        with pytest.raises(SealError):
            frames.open(number, frame)


def test_a_frame_with_any_bit_turned_does_not_open() -> None:
    frame = Frames(KEY, "agent").seal(Batch(number=1, records=b"x" * 20, size=20))
    for at in range(len(frame)):
        turned = frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]
        with pytest.raises(SealError):
            Frames(KEY, "agent").open(1, turned)
