"""Machine code as Go's compiler writes it, and as it does not."""

import pytest
from support.go_code import LARGE_FRAME, SMALL_FRAME

from chaperone.agent.probe.elf import UnreadableError
from chaperone.agent.probe.prologue import places

AT = 0x1000


def test_the_entry_is_behind_the_stack_check() -> None:
    found = places(SMALL_FRAME, AT)
    assert found.entry == AT + 6
    assert found.returns == (AT + 18, AT + 22)


def test_a_large_frame_is_checked_by_an_address() -> None:
    found = places(LARGE_FRAME, AT)
    assert found.entry == AT + 18
    assert found.returns == (AT + 27,)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"", "does not look like"),
        (bytes.fromhex("55 4889e5 5d c3"), "no stack check"),
        (SMALL_FRAME[:18], "does not look like"),
        (SMALL_FRAME + b"\x06\x06", "does not look like"),
    ],
    ids=["empty", "C", "without a return", "followed by what is no code"],
)
def test_what_go_does_not_write_is_not_probed(code: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        places(code, AT)
