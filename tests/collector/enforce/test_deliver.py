"""Delivery to real receivers that fail, hang, ask for patience, die and come back."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_alerts import alert, gathered, slack, to, webhook
from support.receivers import Server, free_port, serving

from chaperone.collector.enforce import outcome
from chaperone.collector.enforce.alerting import Grouping, Limit, Receiver
from chaperone.collector.enforce.counters import Count, Counters, Event
from chaperone.collector.enforce.deliver import Deliverer
from chaperone.collector.enforce.desk import Desk, open_desk
from chaperone.collector.enforce.message import Message
from chaperone.collector.enforce.outbox import FILE
from chaperone.collector.enforce.outcome import Outcome

WAIT_S = 60.0
SECOND = 1_000_000_000
Told = dict[str, Any]


@pytest.fixture(autouse=True)
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "BASE_S", 0.02)
    monkeypatch.setattr(outcome, "CAP_S", 0.1)


async def add(desk: Desk, receivers: tuple[Receiver, ...], *numbers: int, again_ns: int = 60 * SECOND) -> None:
    """One alert for each number, none like another."""
    alerts = [alert(number, rule=f"rule{number}") for number in numbers]
    alerting = to(*receivers, grouping=Grouping(again_ns=again_ns))
    await desk.run(lambda outbox: outbox.add(gathered(*alerts), alerting, time.time_ns()))


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


def run(tmp_path: Path, *receivers: Receiver, then: Callable[[Desk, list[Deliverer]], Coroutine[Any, Any, None]]) -> Counters:
    """Deliver to these for as long as `then` takes."""

    async def deliver() -> Counters:
        desk, counters = await open_desk(tmp_path / FILE), Counters()
        made = [Deliverer(receiver, desk, counters, dice=random.Random(1)) for receiver in receivers]
        tasks = [asyncio.create_task(one.serve()) for one in made]
        await then(desk, made)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await desk.close()
        return counters

    return asyncio.run(deliver())


def ids(server: Server) -> list[str]:
    return [document["id"] for document in server.documents()]


def test_who_fails_hangs_and_hangs_up_gets_every_alert_in_the_end(tmp_path: Path) -> None:
    with serving(500, 0, -1, 503, 404, 200) as server:
        receiver = webhook(server.url, timeout_s=3)

        async def then(desk: Desk, made: list[Deliverer]) -> None:
            await add(desk, (receiver,), 1, 2, 3)
            made[0].wake.set()
            await until(lambda: Count("hook", Event.SENT, 3) in made[0].counters.values())

        counters = run(tmp_path, receiver, then=then)
    assert set(ids(server)) == {alert(number, rule=f"rule{number}").id for number in (1, 2, 3)}
    assert len(set(ids(server)[:6])) == 1  # the same one until it was taken
    [retried, _] = counters.values()
    assert (retried.event, retried.value >= 5) == (Event.RETRIED, True)


def test_who_asks_for_patience_gets_it(tmp_path: Path) -> None:
    with serving(429, 200, headers={"Retry-After": "1"}) as server:
        receiver = webhook(server.url)

        async def then(desk: Desk, made: list[Deliverer]) -> None:
            await add(desk, (receiver,), 1)
            made[0].wake.set()
            await until(lambda: len(server.got) == 2)

        run(tmp_path, receiver, then=then)
    assert server.got[1].at - server.got[0].at >= 1


def test_who_dies_and_comes_back_gets_what_was_missed(tmp_path: Path) -> None:
    port = free_port()
    receiver = webhook(f"http://127.0.0.1:{port}/")
    got: list[str] = []

    async def then(desk: Desk, made: list[Deliverer]) -> None:
        await add(desk, (receiver,), 1, 2)
        made[0].wake.set()
        await until(lambda: made[0].failing)
        with serving(port=port) as server:
            await until(lambda: len(server.got) == 2)
            got.extend(ids(server))
        await add(desk, (receiver,), 3)
        made[0].wake.set()
        await until(lambda: made[0].failing)
        with serving(port=port) as server:
            await until(lambda: len(server.got) == 1)
            got.extend(ids(server))

    run(tmp_path, receiver, then=then)
    assert got == [alert(number, rule=f"rule{number}").id for number in (1, 2, 3)]


def test_a_dead_receiver_is_no_trouble_of_another(tmp_path: Path) -> None:
    with serving(-1) as dead, serving() as alive:
        receivers = webhook(dead.url, "dead", timeout_s=60), webhook(alive.url, "alive")

        async def then(desk: Desk, made: list[Deliverer]) -> None:
            await add(desk, receivers, *range(20))
            for one in made:
                one.wake.set()
            await until(lambda: len(alive.got) == 20)

        run(tmp_path, *receivers, then=then)
        assert len(dead.got) == 1


def test_many_different_alerts_come_in_a_few_messages(tmp_path: Path) -> None:
    with serving() as server:
        receiver = replace(webhook(server.url), limit=Limit(5, 3600 * SECOND))

        async def then(desk: Desk, made: list[Deliverer]) -> None:
            await add(desk, (receiver,), *range(500))
            made[0].wake.set()
            await until(lambda: len(server.got) == 5)

        run(tmp_path, receiver, then=then)
        told = [len(document["alerts"]) + document["omitted"] for document in server.documents()]
        assert told == [1, 1, 1, 1, 496]


def test_more_of_the_same_is_told_later_in_one_message(tmp_path: Path) -> None:
    with serving() as server:
        receiver = webhook(server.url)

        async def then(desk: Desk, made: list[Deliverer]) -> None:
            alerting = to(receiver, grouping=Grouping(again_ns=SECOND // 5))
            for number in range(100):
                await desk.run(lambda outbox, number=number: outbox.add(gathered(alert(number)), alerting, time.time_ns()))  # type: ignore[misc]
                made[0].wake.set()
            await until(lambda: sum(document["alerts"][0]["new"] for document in server.documents()) == 100)

        run(tmp_path, receiver, then=then)
        assert len(server.got) < 10
        assert [document["kind"] for document in server.documents()][:2] == ["first", "more"]


def test_a_fault_of_ours_costs_one_message_and_says_its_place_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def send(receiver: Receiver, message: Message) -> Outcome:
        raise KeyError("s3cret")

    async def deliver() -> list[dict[str, Any]]:
        desk, receiver = await open_desk(tmp_path / FILE), slack("https://slack.test/")
        await add(desk, (receiver,), 1)
        task = asyncio.create_task(Deliverer(receiver, desk, Counters(), send).serve())
        rows: list[dict[str, Any]] = []
        while not rows:
            await asyncio.sleep(0.01)
            rows = await desk.run(lambda outbox: outbox.rows("SELECT state, why FROM deliveries WHERE state = 'failed'"))
        task.cancel()
        await desk.close()
        return rows

    [row] = asyncio.run(deliver())
    assert row["why"].startswith("a fault in chaperone: KeyError at test_deliver.py:")
    assert "s3cret" not in caplog.text + row["why"]


def test_the_log_says_once_that_it_fails_and_once_that_it_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chaperone")
    with serving(500, 500, 500, 200) as server:
        receiver = webhook(server.url)

        async def then(desk: Desk, made: list[Deliverer]) -> None:
            await add(desk, (receiver,), 1)
            made[0].wake.set()
            await until(lambda: len(server.got) == 4 and not made[0].failing)

        run(tmp_path, receiver, then=then)
    said = [(record.levelname, record.message) for record in caplog.records]
    start = "alerts to hook: "
    assert said == [("WARNING", f"{start}not delivered, tried again later: answered 500"), ("INFO", f"{start}delivered again")]
