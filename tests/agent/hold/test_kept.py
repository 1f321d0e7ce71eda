"""What is gathered, with gaps: compared with a plain table of bytes by position."""

from hypothesis import given
from hypothesis import strategies as st

from chaperone.agent.hold.kept import Kept

STEPS = st.lists(st.tuples(st.sampled_from(["add", "again", "pass", "drop"]), st.integers(0, 12)), max_size=30)


@given(STEPS)
def test_each_byte_is_at_its_position(steps: list[tuple[str, int]]) -> None:
    kept, table, written = Kept(), dict[int, int](), 0
    for what, size in steps:
        data = bytes((written + at) % 251 for at in range(size))
        if what == "add":
            kept.add(written, data)
            table |= {written + at: byte for at, byte in enumerate(data)}
        elif what == "again" and table:
            kept.add(max(table), bytes([table[max(table)]]))
            continue
        elif what == "drop":
            kept.drop(written - size)
            table = {at: byte for at, byte in table.items() if at >= written - size}
            continue
        written += size
    assert bytes(kept) == bytes(table[at] for at in sorted(table)) and len(kept) == len(table)
    for begin in range(written):
        for end in (begin, begin + 1, begin + 5):
            wanted = bytes(table[at] for at in range(begin, end)) if all(at in table for at in range(begin, end)) else None
            assert kept.between(begin, end) == wanted


def test_a_part_that_is_here_twice_is_kept_once() -> None:
    kept = Kept()
    kept.add(3, b"abc")
    kept.add(4, b"bcde")
    assert bytes(kept) == b"abcde" and kept.between(3, 8) == b"abcde"
