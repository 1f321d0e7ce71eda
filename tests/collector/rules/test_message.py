"""Messages: words in braces, bounded."""

import pytest

from chaperone.collector.rules.message import LENGTH, MessageError, message, shown


def test_words_are_put_in() -> None:
    assert message("{call.verb} of {call.name}").told(lambda name: f"<{name}>") == "<call.verb> of <call.name>"


def test_a_long_value_is_cut() -> None:
    assert len(shown("call.uri", lambda name: "x" * 5000)) == LENGTH


@pytest.mark.parametrize("text", ["{", "}", "{}", "{call}", "{call.body}", "{call.name"])
def test_what_is_no_word_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        message(text)
