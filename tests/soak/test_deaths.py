"""A small part of the rounds of deaths; and that they would notice."""

import os
from pathlib import Path
from typing import Any

import pytest
from soak.deaths import compared, requests, soak_round
from support.h2_conversation import PODS
from support.lives import Life

from chaperone.agent.deliver.leftovers import DIED


@pytest.mark.skipif(os.geteuid() != 0, reason="small file systems need root")
def test_deaths_and_full_disks_lose_nothing_in_silence() -> None:
    found = soak_round(seed=301, lives=2)
    assert [fault for one in found for fault in one.faults] == []
    assert sum(one.recorded for one in found) > 20


class Said(Life):
    """A life that is over: what it said is known from its name."""

    def __post_init__(self) -> None:
        self.kept_records = 0


LIFE = Said(Path(), "said", 10)
ALL = [f"{PODS}/pod-{number}" for number in range(10)]


def rows(*losses: dict[str, Any], missing: tuple[str, ...] = (), ended: bool = True) -> dict[str, Any]:
    return {"ended": "then" if ended else "", "losses": list(losses), "missing": list(missing), "complete": not (losses or missing)}


def hole(begin: int, end: int, cause: str = "ring full") -> dict[str, Any]:
    return {"direction": "out", "position": begin, "size": end - begin, "cause": cause}


def test_all_of_it_is_all_of_it() -> None:
    found = compared(LIFE, rows(), ALL)
    assert (found.recorded, found.faults) == (10, [])


def test_a_call_that_is_not_there_is_noticed() -> None:
    assert compared(LIFE, rows(), ALL[:4] + ALL[5:]).faults == [f"said: {ALL[4]} is not there, and nothing says so"]
    assert compared(LIFE, rows(missing=(DIED,)), ALL[:4] + ALL[5:]).faults, "a death explains only the end"
    assert len(compared(LIFE, rows(), ALL[:4]).faults) == 6


def test_a_call_that_is_there_twice_is_noticed() -> None:
    assert compared(LIFE, rows(), [*ALL, ALL[3]]).faults == ["said: 1 calls are there twice"]


def test_a_stated_gap_explains_what_lies_in_it_and_no_more() -> None:
    asked = requests(LIFE)
    _, begin, end = asked[4]
    found = compared(LIFE, rows(hole(begin, end), hole(end, end, "read on: three frames")), ALL[:4] + ALL[5:])
    assert (found.recorded, found.in_gap, found.faults) == (9, 1, [])
    assert compared(LIFE, rows(hole(begin, end), hole(end, end, "read on: three frames")), ALL[:4] + ALL[6:]).faults
    into_nothing = compared(LIFE, rows(hole(begin, end)), ALL[:4])
    assert (into_nothing.in_gap, into_nothing.faults) == (6, []), "what comes behind could not be read"


def test_a_death_explains_the_end_and_a_session_must_end() -> None:
    found = compared(LIFE, rows(missing=(DIED,)), ALL[:7])
    assert (found.behind, found.faults) == (3, [])
    assert compared(LIFE, rows(ended=False), ALL).faults == ["said: its session does not end"]
