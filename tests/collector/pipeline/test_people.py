"""Words of people, handed on with who said them."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from chaperone.collector.enforce.approvals.values import Person
from chaperone.collector.identity.caller import CALLER, OWNER, Caller, Means
from chaperone.collector.pipeline.people import People
from chaperone.collector.rules.verdict import Ends
from chaperone.collector.store.directory import DECISIONS, hold

APPROVE = {"approval": "ab", "approve": True, "why": "planned"}
GLASS = {"glass": True, "for": "15m", "nodes": [], "why": "stuck"}
KILL = {"kill": "process", "id": "cd", "why": "it scans"}


class Said:
    """An office and kills that take note."""

    async def decide(self, prefix: str, person: Person, approves: bool, why: str) -> dict[str, Any]:
        return {"decided": prefix, "who": person.name, "how": person.how, "groups": sorted(person.groups), "approves": approves}

    async def kill(self, target: Ends, prefix: str, who: tuple[str, str], why: str) -> dict[str, Any]:
        return {"killed": prefix, "target": str(target), "who": who[0], "why": why}

    async def say(self, word: Mapping[str, Any], who: tuple[str, str]) -> dict[str, Any]:
        return {"broken": word["for"], "who": who}


PEOPLE = People(Said(), Said(), Said())  # type: ignore[arg-type]


def asked(caller: Caller, question: str, word: Mapping[str, Any]) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        CALLER.set(caller)
        [found] = await PEOPLE.ask(question, json.dumps(word))
        return found

    return asyncio.run(ask())


ANN = Caller("ann", frozenset({"sre"}), Means.TOKEN)


def test_a_caller_is_who_their_token_or_certificate_says() -> None:
    found = asked(ANN, "approvals.decide", APPROVE)
    assert (found["who"], found["how"], found["groups"], found["approves"]) == ("user:ann", "token", ["sre"], True)
    assert asked(ANN, "glass", GLASS) == {"broken": "15m", "who": ("user:ann", "token")}
    assert asked(ANN, "kill", KILL) == {"killed": "cd", "target": "process", "who": "user:ann", "why": "it scans"}


REFUSED = [
    (OWNER, "kill", KILL, "at this machine the socket for decisions is asked"),
    (ANN, "kill", APPROVE, "kill takes no such word"),
    (ANN, "approvals.decide", KILL, "approvals.decide takes no such word"),
    (ANN, "kill", KILL | {"kill": "node"}, "expected one of connection, process, session to end"),
    (ANN, "kill", {}, r"expected \{approval"),
]


@pytest.mark.parametrize(("caller", "question", "word", "problem"), REFUSED)
def test_what_is_not_said_like_that_is_refused(caller: Caller, question: str, word: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        asked(caller, question, word)


def test_at_this_machine_the_kernel_says_who_it_is(tmp_path: Path) -> None:
    async def talk() -> dict[str, Any]:
        with hold(tmp_path / "store") as held:
            async with PEOPLE.listening(held, nullcontext()):
                reader, writer = await asyncio.open_unix_connection(str(tmp_path / "store" / DECISIONS))
                writer.write(json.dumps(KILL).encode() + b"\n")
                found: dict[str, Any] = json.loads(await reader.readline())
                writer.close()
                return found

    found = asyncio.run(talk())["done"]
    assert found["who"].startswith("unix:") and found["killed"] == "cd"
