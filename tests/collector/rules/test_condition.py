"""CEL: yes, no or unknown, within its budgets."""

import pytest

from chaperone.collector.rules.condition import LIMIT, ConditionError, answer, compiled, expanded
from chaperone.collector.rules.words import UnknownError


def nothing(name: str) -> object:
    raise UnknownError


def test_unknown_does_not_matter_where_the_rest_decides() -> None:
    assert answer(compiled("false && target.privileged", {}), nothing).holds is False
    assert answer(compiled("target.privileged || true", {}), nothing).holds is True
    assert answer(compiled("target.privileged && true", {}), nothing).unknown == ("target.privileged",)


def test_texts_and_comments_are_left_alone_by_macros() -> None:
    assert expanded('m && call.name == "m" // m', {"m": "(true)"}) == '(true) && call.name == "m" // m'
    assert expanded("call.m.m", {"m": "(true)"}) == "call.m.m"


def test_a_word_inside_a_text_is_no_word() -> None:
    assert compiled('call.name == "target.privileged"', {}).words == ("call.name",)


def test_lone_surrogates_are_replaced() -> None:
    assert answer(compiled('call.name == "a?"', {}), lambda name: "a\udc80").holds is True


@pytest.mark.parametrize("text", ["(" * 100 + "1" + ")" * 100, "call.name.nope()", "1 +", "nope", f'"{"a" * LIMIT}" == ""'])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match="expected"):
        compiled(text, {})
