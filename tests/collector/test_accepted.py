"""What several say of one object. Over the wire: test_live_policies.py."""

import asyncio
from typing import Any

import pytest

from chaperone.collector.accepted import Everywhere
from chaperone.collector.policing import Status, Statuses
from chaperone.collector.serve.peers import Heard, Peers

GONE = "collector c:1 did not answer (unavailable): its nodes are missing"


class Others(Peers):
    """Of three we are the one in the middle; what they say is made by hand."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(("a:1", "b:1", "c:1"), "b:1")
        object.__setattr__(self, "heard", heard)

    async def ask(self, question: str, parameters: dict[str, Any], patience_s: float = 5.0) -> Heard:
        found: Heard = getattr(self, "heard")  # noqa: B009
        return found


def status(*nodes: str, generation: int = 2, message: str = "") -> Status:
    return {"accepted": not message, "message": message, "rules": 1, "observedGeneration": generation, "nodes": [*nodes]}


def told(own: Status, heard: Heard) -> Statuses | None:
    return asyncio.run(Everywhere(Others(heard)).laid_together({"p": own}))


def of_c(found: Status) -> Heard:
    return Heard({"c:1": [{"name": "p", "status": found}, {"name": "q", "status": found}]})


def test_nodes_are_those_of_all_and_whoever_is_silent_is_named() -> None:
    assert told(status("n2"), of_c(status("n1"))) == {"p": status("n1", "n2")}
    assert told(status("n2"), Heard({}, (GONE,))) == {"p": status("n2") | {"message": GONE}}


@pytest.mark.parametrize(
    ("own", "other", "accepted", "message"),
    [
        (status(message="bad"), status(message="bad"), False, "bad"),
        (status(), status(message="bad"), False, "collector c:1: bad"),
        (status(message="worse"), status(message="bad"), False, "collector b:1: worse; collector c:1: bad"),
        (status(), status(generation=1), True, "collector c:1: generation 2 is not taken yet"),
        (status(generation=1), status(), True, "collector b:1: generation 2 is not taken yet"),
    ],
)
def test_where_they_differ_it_is_said_who_says_what(own: Status, other: Status, accepted: bool, message: str) -> None:
    found = told(own, of_c(other))
    assert found and (found["p"]["accepted"], found["p"]["message"], found["p"]["observedGeneration"]) == (accepted, message, 2)


def test_one_that_has_not_read_it_has_not_taken_it() -> None:
    found = told(status("n2"), Heard({"c:1": []}))
    assert found == {"p": status("n2") | {"message": "collector c:1: generation 2 is not taken yet"}}


def test_the_first_that_answers_tells_and_the_first_of_all_has_the_last_word() -> None:
    assert told(status(), Heard({"a:1": []})) is None
    assert told(status(), Heard({"c:1": []})) is not None
    everywhere = Everywhere(Others(Heard()))
    assert not everywhere.is_heading and not everywhere.is_alone
    alone = Everywhere(Peers())
    assert alone.is_heading and alone.is_alone and asyncio.run(alone.laid_together({"p": status("n")})) == {"p": status("n")}
