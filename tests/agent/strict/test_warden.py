from pathlib import Path

from chaperone.agent.strict.warden import left


def test_who_was_frozen_and_not_let_go_is_left() -> None:
    assert left(b"+/a\0+/b b\0-/a\0+/c\0-/c\0+/c\0".split(b"\0")) == [Path("/b b"), Path("/c")]


def test_a_message_that_was_cut_off_harms_nothing() -> None:
    assert left(b"+/a\0-".split(b"\0")) == [Path("/a")]
