from typing import Any

import pytest

from chaperone.collector.parameters import QuestionError
from chaperone.collector.store.questions import bound, flag, identifier, number, parameters_in, text, time


@pytest.mark.parametrize("given", ["[", "[1]", '"x"', "1", "[" * 100_000])
def test_what_is_no_object_is_refused(given: str) -> None:
    with pytest.raises(QuestionError):
        parameters_in(given, frozenset())


def test_an_unknown_parameter_is_named_with_those_that_exist() -> None:
    with pytest.raises(QuestionError, match="'verbs'; there are limit, verb"):
        parameters_in('{"verbs": 1}', frozenset({"verb", "limit"}))


def test_null_is_absent_and_nothing_is_an_empty_object() -> None:
    assert parameters_in('{"verb": null}', frozenset({"verb"})) == parameters_in("", frozenset()) == {}


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (text, 1),
        (time, "yesterday"),
        (time, "2026-01-02T03:04:05"),
        (identifier, "xyz"),
        (identifier, ""),
        (identifier, "a" * 33),
        (number, -1),
        (number, True),
        (number, 1.5),
        (flag, "yes"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(check: Any, value: Any) -> None:
    with pytest.raises(QuestionError, match=r"^key must be"):
        check({"key": value}, "key")


def test_only_given_parameters_are_bound() -> None:
    kinds = {"a": "text", "b": "number", "c": "time", "d": "id"}
    assert bound({"a": "x", "b": 1}, kinds) == {"a": "x", "b": 1}
    assert bound({"c": "2026-01-02T03:04:05.123456789Z", "d": "ab12"}, kinds) == {"c": "2026-01-02T03:04:05.123456789Z", "d": "ab12"}
