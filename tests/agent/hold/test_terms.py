"""Terms as they are said, read."""

import pytest

from chaperone.agent.hold.terms import DEFAULT, Terms, in_words


@pytest.mark.parametrize(
    ("on_failure", "uncovered", "terms"),
    [
        ("allow", "allow", Terms(denies=False, verdict_timeout=3, hold_limit=5, covers=False)),
        ("deny", "allow", Terms(denies=True, verdict_timeout=3, hold_limit=5, covers=False)),
        ("allow", "deny", Terms(denies=False, verdict_timeout=3, hold_limit=5, covers=True)),
    ],
)
def test_each_word_has_its_own_term(on_failure: str, uncovered: str, terms: Terms) -> None:
    assert in_words(on_failure, uncovered, 3, 5) == terms


def test_what_is_not_said_is_as_by_default() -> None:
    assert in_words("", "", 0, 0) == DEFAULT
