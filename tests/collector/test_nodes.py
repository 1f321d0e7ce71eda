"""Places in YAML: lines, keys, limits."""

import pytest

from chaperone.collector.nodes import DEPTH, PolicyError, documents
from chaperone.collector.times import SECOND


def test_a_complaint_has_file_line_and_key() -> None:
    (place,) = documents("a:\n  b: x\n", "f")
    with pytest.raises(PolicyError, match=r"f:2: a\.b: expected a whole number from 1 to 9, found 'x'"):
        place.mapping(("a",))["a"].mapping(("b",))["b"].number(1, 9)


def test_durations_have_units() -> None:
    assert [next(iter(documents(text, "f"))).duration_ns() for text in ("60s", "5m", "200ms", "24h")] == [
        60 * SECOND,
        300 * SECOND,
        SECOND // 5,
        86400 * SECOND,
    ]


def test_nesting_is_bounded() -> None:
    with pytest.raises(PolicyError, match=f"at most {DEPTH} levels"):
        list(documents("[" * 5000, "f"))


def test_characters_that_yaml_has_not_are_refused() -> None:
    with pytest.raises(PolicyError):
        list(documents("a: \x00", "f"))
