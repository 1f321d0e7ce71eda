"""What a container printed must not reach a terminal as control characters."""

from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.cli.show.escape import CONTROL, escape, lines


def test_controls_become_visible() -> None:
    assert escape("a\x1b[2Jb\x07\x7f\x9b31m\u202e\u2028") == "a\\x1b[2Jb\\x07\\x7f\\x9b31m\\u202e\\u2028"


def test_ordinary_text_of_any_script_stays() -> None:
    assert escape("größe 漢字 🚀 'x' \\n") == "größe 漢字 🚀 'x' \\n"


def test_line_ends_part_lines_and_a_carriage_return_within_one_is_shown() -> None:
    assert lines("one\r\ntwo\rthree\n\nfour\n") == ["one", "two\\rthree", "", "four"]


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_nothing_that_steers_is_left(text: str) -> None:
    assert not CONTROL.search(escape(text))
    assert not any(CONTROL.search(line) for line in lines(text))
