from hypothesis import given
from hypothesis import strategies as st

from chaperone.proto.ids import call_id, process_id, session_id, stream_id

PROCESS = process_id("boot", 1, 2)
STREAM = stream_id(PROCESS, 3, 4)


def test_the_same_facts_give_the_same_id() -> None:
    assert process_id("boot", 1, 2) == PROCESS
    assert call_id(STREAM, 5) == call_id(STREAM, 5)


def test_ids_are_32_hex_digits() -> None:
    for found in (PROCESS, STREAM, session_id("w", 1), call_id(STREAM, 5)):
        assert len(found) == 32 and int(found, 16) >= 0


def test_ids_never_change_with_a_new_version() -> None:
    """These stand in stores: another value needs a migration."""
    assert process_id("boot", 1, 2) == "d91a1b3ac0864885e0e6f61c925ada86"
    assert call_id(STREAM, 5) == "8b1d911a966ad15f4b253971ed6a8bbb"


@given(st.text(), st.text())
def test_parts_that_join_to_the_same_text_differ(left: str, right: str) -> None:
    if left:
        assert process_id(left, 12, 3) != process_id(left, 1, 23)
    assert (session_id(left, 1) == session_id(right, 1)) == (left == right)
