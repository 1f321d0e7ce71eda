import dataclasses

import pytest

from chaperone.collector.mask.masking import BUILT_IN, BUILT_INS, Field, Masking, joined, problem_of
from chaperone.collector.mask.patterns import PATTERNS, Pattern

OWN = Pattern("acme", b"acme_[a-z]{8}")


def test_every_built_in_pattern_has_a_name_of_its_own() -> None:
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS)
    assert {pattern.name for pattern in PATTERNS} < set(BUILT_INS)


def test_maskings_join_and_what_one_switches_off_is_off() -> None:
    one = Masking((OWN, *PATTERNS), (Field(("a",)),))
    whole = joined([one, dataclasses.replace(BUILT_IN, off=frozenset({"jwt", "names"}))])
    assert whole.patterns == (OWN, *(pattern for pattern in PATTERNS if pattern.name != "jwt"))
    assert whole.fields == (Field(("a",)),) and whole.off == {"jwt", "names"} and whole.own
    assert not BUILT_IN.own and joined([BUILT_IN]) == BUILT_IN


@pytest.mark.parametrize("bad", ["(", "(?=x)", "x*", "[", "a{1,9999}", ""])
def test_a_pattern_that_cannot_be_used_has_a_reason(bad: str) -> None:
    assert problem_of(bad.encode()) != ""


@pytest.mark.parametrize("good", ["acme_[a-z]+", "(?i)id=(.+)", "^x$"])
def test_a_pattern_that_can_has_none(good: str) -> None:
    assert problem_of(good.encode()) == ""
