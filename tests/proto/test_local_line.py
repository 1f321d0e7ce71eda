import pytest

from chaperone.proto import capture_pb2 as wire
from chaperone.proto.local_line import HEAD, MESSAGE, REFUSAL, Refusal, head_of, message_frame, refusal_frame, refusal_of


def test_a_message_comes_out_as_it_went_in() -> None:
    frame = message_frame(wire.Downward(ack=wire.Ack(batch=7)))
    assert head_of(frame[: HEAD.size]) == (len(frame) - HEAD.size, MESSAGE)
    assert wire.Downward.FromString(frame[HEAD.size :]).ack.batch == 7


def test_an_end_says_why() -> None:
    refusal = Refusal(9, "a sentence with ä, more than ASCII")
    frame = refusal_frame(refusal)
    assert head_of(frame[: HEAD.size]) == (len(frame) - HEAD.size, REFUSAL)
    assert refusal_of(frame[HEAD.size :]) == refusal


def test_what_is_no_frame_is_said_so() -> None:
    with pytest.raises(ValueError, match="unknown kind 7"):
        head_of(HEAD.pack(1, 7))
    with pytest.raises(ValueError, match="without a status"):
        refusal_of(b"")
    assert refusal_of(b"\x09\xff").sentence == "\ufffd"
