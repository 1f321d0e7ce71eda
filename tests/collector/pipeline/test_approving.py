"""The office with a real store, a real outbox and a real socket; the requests are made by hand. One process opens the store twice."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from support.approving import wanting
from support.judged_events import body

from chaperone.collector.enforce.alerter import Alerter, alerting_on
from chaperone.collector.enforce.approvals.office import Office
from chaperone.collector.enforce.orders import Answer, Wanted
from chaperone.collector.pipeline.approving import approving
from chaperone.collector.pipeline.people import People
from chaperone.collector.store.committer import Pace
from chaperone.collector.store.directory import DECISIONS, hold
from chaperone.collector.store.opened import Store, opened

WAIT_S = 60.0
NOTHING: Any = None  # nothing is killed or broken here
ROLE = body({"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [{"verbs": ["*"]}]})
root_only = pytest.mark.skipif(os.getuid() != 0, reason="the approver of these rules is root")


def run(directory: Path, then: Callable[[Office, Store, Alerter], Awaitable[Any]]) -> Any:
    async def on() -> Any:
        with hold(directory) as held:
            async with (
                opened(held, Pace(0.01)) as store,
                alerting_on(directory, None) as alerter,
                approving(held, store, alerter, lambda text: text.replace("hunter2", "~")) as office,
                People(office, NOTHING, NOTHING).listening(held, nullcontext()),
            ):
                await asyncio.sleep(0)
                return await then(office, store, alerter)

    return asyncio.run(on())


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (found := await condition()):
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)
    return found


async def said(directory: Path, approval: str, approve: bool, why: str = "planned, hunter2") -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(directory / DECISIONS))
    writer.write(json.dumps({"approval": approval, "approve": approve, "why": why}).encode() + b"\n")
    found: dict[str, Any] = json.loads(await reader.readline())
    writer.close()
    return found


def stand(office: Office, number: int = 0) -> Any:
    return office.asked(Wanted(wanting(number, requestBody=ROLE, of={"user": "agent"})))


@root_only
def test_a_request_waits_over_a_restart_is_approved_at_the_socket_and_passes_once(tmp_path: Path) -> None:
    directory = tmp_path / "store"

    async def asks(office: Office, store: Store, alerter: Alerter) -> str:
        id_ = str(stand(office).id)
        [told] = await until(lambda: alerter.ask("alerts.list", "{}"))
        assert '+ rules.[0].verbs: ["*"]' in told["approval"]["diff"] and told["approval"]["state"] == "pending"
        return id_

    async def passes(office: Office, store: Store, alerter: Alerter) -> None:
        found = await said(directory, id_[:10], True)
        assert (found["done"]["state"], found["done"]["votes"][0]["why"]) == ("approved", "planned, ~")

        async def is_approved() -> bool:
            return bool(stand(office, 7).answer is Answer.APPROVED)

        await until(is_approved)
        [stored] = await store.ask("approvals.list", json.dumps({"id": id_}))
        assert (stored["state"], stored["used"]) == ("used", f"{7:032x}")
        assert stand(office, 8).answer is Answer.PENDING

    id_ = run(directory, asks)
    run(directory, passes)


@root_only
def test_whose_word_does_not_count_is_told_why(tmp_path: Path) -> None:
    directory = tmp_path / "store"

    async def then(office: Office, store: Store, alerter: Alerter) -> None:
        found = office.asked(Wanted(wanting(1, of={"user": "root"})))
        assert (await said(directory, found.id, True))["error"] == "unix:root makes this request, and can't decide on it"
        assert (await said(directory, "zz", True))["error"].startswith("no approval's id begins")

    run(directory, then)
