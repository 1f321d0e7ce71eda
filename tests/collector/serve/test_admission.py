import asyncio
import json
from typing import Any

import pytest

from chaperone.collector.identity.access import Access
from chaperone.collector.identity.caller import ADMINS, CALLER, OWNER, Caller, Means, Right
from chaperone.collector.identity.refusals import DeniedError, ReviewError
from chaperone.collector.serve.admission import Admission

ALICE = Caller("alice", frozenset(), Means.TOKEN)
FULL = "5e" * 16


class Desk:
    """A store with one session in namespace agents, reviews that allow `allowed`, and accesses."""

    def __init__(self, *allowed: tuple[Right, str], trouble: str = "") -> None:
        self.allowed, self.trouble = set(allowed), trouble
        self.answered: list[tuple[str, dict[str, Any]]] = []
        self.kept: list[Access] = []

    async def ask(self, name: str, parameters: str) -> list[dict[str, Any]]:
        if name == "session.summary":
            return [{"id": FULL, "lookedUp": {"namespace": "agents"}}]
        self.answered.append((name, json.loads(parameters)))
        return [{"answer": 1}]

    async def may(self, caller: Caller, right: Right, namespace: str) -> bool:
        return (right, namespace) in self.allowed

    async def who(self, token: str) -> Caller | None:
        return None

    async def keep(self, access: Access) -> str:
        self.kept.append(access)
        return self.trouble

    def asked(self, caller: Caller, *questions: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        async def run() -> list[dict[str, Any]]:
            CALLER.set(caller)
            admission = Admission(self.ask, self, self.keep)
            rows: list[dict[str, Any]] = []
            for name, parameters in questions:
                rows += await admission.ask(name, json.dumps(parameters))
            return rows

        return asyncio.run(run())


def test_the_owner_is_asked_nothing_and_leaves_no_record() -> None:
    desk = Desk()
    assert desk.asked(OWNER, ("replay", {"session": "latest"})) == [{"answer": 1}]
    assert not desk.kept


def test_a_session_needs_the_right_in_its_pods_namespace_and_is_asked_by_its_whole_id() -> None:
    desk = Desk((Right.VIEW, "agents"))
    desk.asked(ALICE, ("replay", {"session": "latest"}))
    assert desk.answered == [("replay", {"session": FULL})]
    (access,) = desk.kept
    assert (access.caller, access.question, access.session, access.is_allowed) == (ALICE, "replay", FULL, True)


def test_without_a_session_the_right_is_needed_everywhere() -> None:
    desk = Desk((Right.VIEW, "agents"))
    with pytest.raises(DeniedError, match=r"'alice' may not view sessions.chaperone.dev in all namespaces"):
        desk.asked(ALICE, ("calls.list", {"namespace": "agents"}))
    assert not desk.answered
    assert [access.is_allowed for access in desk.kept] == [False]


def test_sessions_of_a_namespace_need_the_right_there() -> None:
    desk = Desk((Right.VIEW, "agents"))
    desk.asked(ALICE, ("sessions.list", {"namespace": "agents"}))
    with pytest.raises(DeniedError):
        desk.asked(ALICE, ("sessions.list", {"namespace": "other"}))
    assert desk.answered == [("sessions.list", {"namespace": "agents"})]


@pytest.mark.parametrize("question", ["accesses.list", "alerts.use", "one.that.comes.later"])
def test_what_is_no_viewing_needs_admin(question: str) -> None:
    desk = Desk((Right.VIEW, ""))
    with pytest.raises(DeniedError, match="may not admin"):
        desk.asked(ALICE, (question, {}))
    assert not desk.answered


def test_an_admin_by_certificate_needs_no_review() -> None:
    desk = Desk()
    desk.asked(Caller("root", frozenset({ADMINS}), Means.CERTIFICATE), ("accesses.list", {}))
    assert desk.answered and desk.kept


def test_whoever_follows_is_recorded_once_but_for_the_first_time_always() -> None:
    desk = Desk((Right.VIEW, ""))
    desk.asked(ALICE, *[("calls.list", {"after": number}) for number in range(5)])
    assert len(desk.kept) == 1
    assert len(desk.answered) == 5


def test_what_cannot_be_recorded_is_not_answered() -> None:
    desk = Desk((Right.VIEW, ""), trouble="the disk is full")
    with pytest.raises(ReviewError, match="the disk is full"):
        desk.asked(ALICE, ("calls.list", {}))
    assert not desk.answered


@pytest.mark.parametrize("parameters", ["[", "[]", "[" * 100_000])
def test_parameters_that_are_none_are_the_askers_fault(parameters: str) -> None:
    async def run() -> None:
        CALLER.set(ALICE)
        await Admission(Desk().ask, Desk(), Desk().keep).ask("calls.list", parameters)

    with pytest.raises(ValueError, match="no JSON"):
        asyncio.run(run())
