"""An office as the pipeline and people see it. The world around it is made by hand; the event loop is real."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from support.approving import ANN, CONSENT, HOLD, LIFE, NOW, ROOT, World, wanting

from chaperone.collector.enforce.approvals import office as module
from chaperone.collector.enforce.approvals.office import NOBODY, Office
from chaperone.collector.enforce.approvals.votes import VoteError
from chaperone.collector.enforce.orders import Answer, Stand, Wanted
from chaperone.collector.rules.consent import Consent

WAIT_S = 60.0


def run(world: World, then: Callable[[Office], Awaitable[Any]], *before: Any) -> Any:
    async def on() -> Any:
        office = world.office()
        office.recall(before)
        serving = asyncio.create_task(office.serve())
        await asyncio.sleep(0)
        try:
            return await then(office)
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    return asyncio.run(on())


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


def stand(office: Office, number: int = 0, **changed: Any) -> Stand:
    return office.asked(Wanted(wanting(number, **changed)))


def test_a_request_waits_until_somebody_approves_and_its_use_is_durable() -> None:
    world = World()

    async def then(office: Office) -> None:
        first = stand(office)
        assert first.answer is Answer.PENDING
        await until(lambda: world.kept)
        found = await office.decide(first.id[:8], ROOT, True, "planned, password hunter2")
        assert (found["state"], found["votes"][0]["why"]) == ("approved", "planned, password ~masked~")
        assert stand(office).answer is Answer.PENDING, "its use is not stored yet"
        await until(lambda: world.kept[-1]["state"] == "used" and world.changes >= 3)
        assert stand(office) == Stand(first.id, Answer.APPROVED)
        assert stand(office, 1).answer is Answer.PENDING, "another call with the same bytes asks anew"

    run(world, then)
    [used] = [document for document in world.kept if document["state"] == "used"]
    assert [entry["state"] for entry in used["history"]] == ["pending", "approved", "used"]


def test_while_the_store_is_full_nothing_passes_and_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    world = World()

    async def then(office: Office) -> None:
        id_ = stand(office).id
        await until(lambda: len(world.told) == 1)
        await office.decide(id_, ROOT, True, "yes")
        world.trouble = ["no space left"] * 5
        assert stand(office).answer is Answer.PENDING
        await until(lambda: len(world.trouble) < 3)
        assert stand(office).answer is Answer.PENDING
        await until(lambda: stand(office).answer is Answer.APPROVED)
        assert not world.trouble

    run(world, then)


def test_a_word_is_answered_once_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    world = World()

    async def then(office: Office) -> None:
        id_ = stand(office).id
        await until(lambda: len(world.told) == 1)
        world.trouble = ["no space left"] * 3
        await office.decide(id_, ROOT, False, "no")
        assert not world.trouble and world.kept[-1]["state"] == "denied"

    run(world, then)


def test_who_may_not_decide_is_told_so_and_nothing_changes() -> None:
    world = World()

    async def then(office: Office) -> None:
        id_ = stand(office).id
        world.governed = "is used in a governed workload"
        for prefix, problem in ((id_, "unix:root is used in a governed workload"), ("", "is used")):
            with pytest.raises(VoteError, match=problem):
                await office.decide(prefix, ROOT, True, "yes")
        world.governed = ""
        with pytest.raises(VoteError, match="no approval's id begins with 'zz'"):
            await office.decide("zz", ROOT, True, "yes")
        stand(office, 1, binding="c" * 64)
        with pytest.raises(VoteError, match="more than one approval's id begins with ''"):
            await office.decide("", ROOT, True, "yes")
        assert stand(office).answer is Answer.PENDING

    run(world, then)
    assert all(not document["votes"] for document in world.kept)


def test_a_denied_request_reads_by_whom_and_why() -> None:
    async def then(office: Office) -> Stand:
        await office.decide(stand(office).id, ANN, False, "ask on monday")
        return stand(office, 1)

    assert run(World(), then).message == "approval denied by user:ann: ask on monday"


def test_a_client_that_waited_long_enough_is_told_to_come_again_and_its_retry_passes() -> None:
    async def then(office: Office) -> None:
        id_ = stand(office).id
        assert office.told(Wanted(wanting())) == f"approval pending: {id_[:12]}, retry"
        office.left(Wanted(wanting()))  # as it leaves
        await office.decide(id_, ROOT, True, "yes")
        await until(lambda: stand(office, 7).answer is Answer.APPROVED)

    run(World(), then)


def test_a_client_that_leaves_first_withdraws_the_question_unless_another_waits() -> None:
    async def then(office: Office) -> None:
        id_ = stand(office, 1).id
        assert stand(office, 2).id == id_
        office.left(Wanted(wanting(1)))
        assert stand(office, 2).id == id_
        office.left(Wanted(wanting(2)))
        with pytest.raises(VoteError, match="is gone"):
            await office.decide(id_, ROOT, True, "yes")

    run(World(), then)


def test_of_two_clients_that_wait_for_one_approval_one_passes() -> None:
    async def then(office: Office) -> None:
        first, second = stand(office, 1), stand(office, 2)
        assert first.id == second.id
        await office.decide(first.id, ROOT, True, "yes")
        stand(office, 1)
        await until(lambda: stand(office, 1).answer is Answer.APPROVED)
        again = stand(office, 2)
        assert again.answer is Answer.PENDING and again.id != first.id

    run(World(), then)


def test_a_restarted_collector_knows_what_waits_and_what_was_approved() -> None:
    world, later = World(), World()

    async def before(office: Office) -> str:
        id_ = stand(office, 1).id
        await office.decide(id_, ROOT, True, "yes")
        await office.decide(stand(office, 2, binding="c" * 64).id, ROOT, False, "no")
        stand(office, 3, binding="d" * 64)
        await until(lambda: len(world.told) == 5)
        return id_

    async def then(office: Office) -> None:
        assert stand(office, 9, binding="c" * 64).message == "approval denied by unix:root: no"
        assert stand(office, 9, binding="d" * 64).answer is Answer.PENDING
        await until(lambda: stand(office, 1).answer is Answer.APPROVED)

    run(world, before)
    latest = {document["id"]: document for document in world.kept}
    run(later, then, *latest.values())
    assert later.described == [], "what was told is not looked up again"


def test_what_nobody_decides_expires_by_itself() -> None:
    world = World()

    async def then(office: Office) -> None:
        stand(office, consent=Consent(expires_ns=1))
        world.now += 2
        await until(lambda: world.kept and world.kept[-1]["state"] == "expired")

    run(world, then)
    assert [alert.message for alert in world.told][-1].startswith("nobody decided in time. It was: ")


def test_people_are_told_what_it_would_change_once_and_then_what_became_of_it() -> None:
    world = World()

    async def then(office: Office) -> None:
        id_ = stand(office, 4).id
        await until(lambda: len(world.told) == 1)
        await office.decide(id_, ROOT, True, "yes")
        await until(lambda: len(world.told) == 2)

    run(world, then)
    first, second = world.told
    assert first.approval["diff"] == second.approval["diff"] == ['+ rules.[0].verbs: ["*"]'] and world.described == [f"{4:032x}"]
    assert (first.approval["state"], second.approval["state"]) == ("pending", "approved")
    assert second.message.startswith("approved by unix:root: yes. It was: ")
    assert len({first.id, second.id}) == 2


def test_without_a_rule_that_wants_approval_nobody_is_asked() -> None:
    async def then(office: Office) -> Stand:
        plain = Wanted(replace(wanting(), verdicts=()))
        office.left(plain)
        assert office.told(plain) == NOBODY
        return office.asked(plain)

    world = World()
    assert run(world, then) == Stand("", Answer.DENIED, NOBODY) and world.kept == []


def test_hold_and_life_are_those_of_the_rule() -> None:
    assert (CONSENT.hold_limit_ns, CONSENT.expires_ns) == (HOLD, LIFE)
    world = World()

    async def then(office: Office) -> None:
        stand(office, consent=Consent(expires_ns=5, hold_limit_ns=3))
        await until(lambda: world.kept)

    run(world, then)
    assert (world.kept[0]["holdLimit"], world.kept[0]["expires"], world.now) == (3, 5, NOW)


def test_what_another_collector_stored_counts_and_our_versions_come_after_its() -> None:
    world, other = World(), World()

    async def asks(office: Office) -> str:
        id_ = stand(office).id
        await until(lambda: other.kept)
        await office.decide(id_, ROOT, True, "yes")
        return id_

    id_ = run(other, asks)

    async def goes_on(office: Office) -> None:
        assert stand(office).id == id_
        await until(lambda: world.kept)
        office.recall([other.kept[-1]], 3)
        await until(lambda: stand(office).answer is Answer.APPROVED)
        assert world.kept[-1]["version"] == 3 * module.TURN + 1
        office.recall([world.kept[-1]], 1)  # another agent of the same node, which counts its own turns
        assert office.starting(id_)[0].version == 4 * module.TURN

    run(world, goes_on)
