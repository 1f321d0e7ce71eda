import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.approving import NOW, asking, yes
from support.made_alerts import alert, judged, verdict
from support.receivers import serving

from chaperone.collector.enforce import alerter as module
from chaperone.collector.enforce.alerter import Alerter, alerting_on
from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.news import news
from chaperone.collector.enforce.counters import Count, Event
from chaperone.collector.enforce.desk import BROKEN
from chaperone.collector.enforce.outbox import FILE, Outbox
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.verdict import Action, Enforce

WAIT_S = 60.0


def file(directory: Path, url: str, more: str = "") -> Path:
    path = directory / "alerts.yaml"
    path.write_text(
        "apiVersion: chaperone.dev/v1\nkind: Alerting\n"
        f"receivers:\n- name: hook\n  webhook: {{url: '{url}', key: {'k' * 32}, timeout: 30s}}\n{more}"
    )
    return path


def run(directory: Path, path: Path | None, then: Callable[[Alerter], Awaitable[Any]]) -> Any:
    async def on() -> Any:
        async with alerting_on(directory, path) as alerter:
            return await then(alerter)

    return asyncio.run(on())


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("sessions", [1, 4_000])
def test_forty_thousand_equal_events_become_a_handful_of_messages(sessions: int, tmp_path: Path) -> None:
    with serving() as server:

        async def then(alerter: Alerter) -> None:
            for number in range(40_000):
                alerter.perform(judged(number, session=f"{number % sessions:032x}"))
                if number % 1000 == 999:
                    await alerter.keep()
            await alerter.finish(WAIT_S)

        run(tmp_path, file(tmp_path, server.url), then)
        assert sum(document["alerts"][0]["new"] for document in server.documents()) == 40_000
        assert len(server.got) <= 4


def test_an_event_without_a_verdict_is_no_alert(tmp_path: Path) -> None:
    async def then(alerter: Alerter) -> list[dict[str, Any]]:
        event = judged(1).event
        alerter.perform(judged(1, verdict(event, Action.ALLOW)))
        assert not alerter.is_pending
        alerter.perform(judged(1, verdict(event, Action.DENY)))
        assert alerter.is_pending
        await alerter.keep()
        assert not alerter.is_pending
        return await alerter.ask("alerts.list", "{}")

    [found] = run(tmp_path, None, then)
    assert (found["action"], found["deliveries"]) == ("deny", [])


def test_what_a_collector_left_is_delivered_by_the_next_with_the_same_file(tmp_path: Path) -> None:
    with serving(500) as server:
        path = file(tmp_path, server.url)

        async def first(alerter: Alerter) -> None:
            alerter.perform(judged(1))
            await alerter.keep()
            await until(lambda: server.got)

        run(tmp_path, path, first)
        server.behaviour.statuses = [200]
        failed = len(server.got)
        run(tmp_path, None, lambda alerter: until(lambda: len(server.got) > failed))
        assert len({document["id"] for document in server.documents()}) == 1


def test_a_remembered_file_that_is_bad_now_stops_delivery_until_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.02)

    async def nothing(alerter: Alerter) -> None:
        return None

    with serving() as server:
        path = file(tmp_path, server.url)
        run(tmp_path, path, nothing)
        path.write_text("kind: Alerting\nreceivers: http://127.0.0.1:9/s3cret")

        async def mended(alerter: Alerter) -> None:
            file(tmp_path, server.url)
            await until(lambda: alerter._alerting.receivers)

        run(tmp_path, None, mended)
        said = caplog.messages[0]
        assert said.startswith("no alerts are delivered: ") and "s3cret" not in caplog.text
        path.write_text("kind: Alerting")
        with pytest.raises(PolicyError):
            run(tmp_path, path, nothing)


def test_another_file_takes_the_place_of_the_first_and_a_bad_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with serving() as one, serving() as two:
        first, second = file(tmp_path, one.url), file(tmp_path / "second", two.url)

        async def then(alerter: Alerter) -> None:
            (tmp_path / "bad").write_text("kind: Policy")
            with pytest.raises(PolicyError):
                await alerter.ask("alerts.use", json.dumps({"file": str(tmp_path / "bad")}))
            alerter.perform(judged(1))
            await alerter.keep()
            await until(lambda: len(one.got) == 1)
            assert await alerter.ask("alerts.use", json.dumps({"file": str(second)})) == [{"receiver": "hook"}]
            alerter.perform(judged(2, verdict(judged(2).event, rule="other")))
            await alerter.keep()
            await until(lambda: len(two.got) == 1)

        run(tmp_path, first, then)
        assert len(one.got) == 1


def test_a_file_that_changes_is_read_again_and_a_bad_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.02)
    with serving() as one, serving() as two:
        path = file(tmp_path, one.url)

        async def then(alerter: Alerter) -> None:
            path.write_text("kind: s3cret")
            await until(lambda: caplog.messages)
            alerter.perform(judged(1))
            await alerter.keep()
            await until(lambda: len(one.got) == 1)
            file(tmp_path, two.url, "grouping: {by: [rule]}\n")
            await until(lambda: alerter._alerting.grouping.by == ("rule",))
            alerter.perform(judged(2, verdict(judged(2).event, rule="other")))
            await alerter.keep()
            await until(lambda: len(two.got) == 1)

        run(tmp_path, path, then)
    assert caplog.messages[0].startswith("alerts go on as before: ") and "s3cret" not in caplog.text
    assert len(one.got) == 1


def test_the_status_says_who_fails_and_how_often(tmp_path: Path) -> None:
    with serving(200, 500) as server:

        async def then(alerter: Alerter) -> list[dict[str, Any]]:
            for number in (1, 2):
                alerter.perform(judged(number, verdict(judged(number).event, rule=f"r{number}")))
                await alerter.keep()
            await until(lambda: Count("hook", Event.RETRIED, 1) in alerter.counters.values())
            return await alerter.ask("alerts.status", "{}")

        found = run(tmp_path, file(tmp_path, server.url), then)
    assert found == [{"receiver": "hook", "failing": True, "messages": {"sent": 1, "retried": 1}}]


def test_a_test_message_says_what_happened(tmp_path: Path) -> None:
    with serving(200, 500) as server:

        async def then(alerter: Alerter) -> list[Any]:
            return [await alerter.ask("alerts.test", "{}") for _ in range(2)]

        assert run(tmp_path, file(tmp_path, server.url), then) == [
            [{"receiver": "hook", "sent": True, "why": "answered 200"}],
            [{"receiver": "hook", "sent": False, "why": "answered 500"}],
        ]


def test_finishing_does_not_wait_for_who_fails(tmp_path: Path) -> None:
    with serving(500) as server:

        async def then(alerter: Alerter) -> float:
            alerter.perform(judged(1))
            await alerter.keep()
            began = time.monotonic()
            await alerter.finish(1000)
            return time.monotonic() - began

        async def again(alerter: Alerter) -> float:
            began = time.monotonic()
            await alerter.finish(1000)
            return time.monotonic() - began

        assert run(tmp_path, file(tmp_path, server.url), then) < 500
        assert run(tmp_path, None, again) < 500


def test_while_the_outbox_cannot_be_written_it_refuses_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    add, tries = Outbox.add, list[int]()

    def full(outbox: Outbox, *given: Any) -> dict[str, int]:
        tries.append(1)
        if len(tries) < 4:
            raise sqlite3.OperationalError("database or disk is full")
        return add(outbox, *given)

    monkeypatch.setattr(Outbox, "add", full)

    async def then(alerter: Alerter) -> list[dict[str, Any]]:
        alerter.perform(judged(1))
        keeping = asyncio.create_task(alerter.keep())
        await until(lambda: alerter.refusal() == "the outbox of alerts can't be written: database or disk is full")
        await keeping
        assert alerter.refusal() == ""
        return await alerter.ask("alerts.list", "{}")

    assert len(run(tmp_path, None, then)) == 1


def test_an_outbox_that_breaks_is_set_aside_and_recording_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    with serving() as server:
        path = file(tmp_path, server.url)

        async def then(alerter: Alerter) -> None:
            alerter.perform(judged(1))
            await alerter.keep()
            await until(lambda: len(server.got) == 1)
            await alerter._desk.run(lambda outbox: outbox.run("PRAGMA wal_checkpoint(TRUNCATE)", {}))
            await alerter._desk.run(lambda outbox: outbox.run("PRAGMA cache_size = 0", {}))
            with (tmp_path / FILE).open("r+b") as opened:  # every page but the first
                size = opened.seek(0, os.SEEK_END)
                opened.seek(4096)
                opened.write(os.urandom(size - 4096))
            alerter.perform(judged(2, verdict(judged(2).event, rule="other")))
            await alerter.keep()
            await until(lambda: len(server.got) == 2)
            assert [row["rule"] for row in await alerter.ask("alerts.list", "{}")] == ["other"]
            assert await alerter._desk.run(lambda outbox: outbox.setting("alerts file")) == str(path)

        run(tmp_path, path, then)
    assert "is broken and was set aside" in caplog.text
    assert (tmp_path / (FILE + BROKEN)).exists()


def test_what_is_dropped_is_counted(tmp_path: Path) -> None:
    with serving(-1) as server:

        async def then(alerter: Alerter) -> None:
            for number in range(30):
                alerter.perform(judged(number, verdict(judged(number).event, rule=f"r{number}")))
            await alerter.keep()
            assert Count("hook", Event.DROPPED, 20) in alerter.counters.values()

        run(tmp_path, file(tmp_path, server.url, "outbox: {waiting: 10}\n"), then)


def test_the_store_directory_shows_no_address_and_no_key(tmp_path: Path) -> None:
    with serving(500) as server:

        async def then(alerter: Alerter) -> None:
            alerter.perform(judged(1))
            await alerter.keep()
            await until(lambda: server.got)

        run(tmp_path, file(tmp_path, server.url), then)
    (tmp_path / "alerts.yaml").unlink()
    found = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"hook-s3cret" not in found and b"k" * 32 not in found and b"secrets <read> & more" in found


def test_what_no_event_made_is_told_too(tmp_path: Path) -> None:
    with serving() as server:

        async def then(alerter: Alerter) -> None:
            await alerter.tell(alert(1, message="an approval"), "approval 1")
            await until(lambda: server.got)

        run(tmp_path, file(tmp_path, server.url), then)
        assert [document["alerts"][0]["alert"]["message"] for document in server.documents()] == ["an approval"]


def test_what_people_are_asked_for_is_told_by_those_who_ask(tmp_path: Path) -> None:
    async def then(alerter: Alerter) -> None:
        alerter.asks = lambda action, stream, moment: stream == "held"
        event = judged(1).event
        wanted = verdict(event, Action.APPROVE, effective=Enforce.ENFORCE)
        for one, stream, is_told in ((wanted, "held", False), (wanted, "other", True), (verdict(event, Action.APPROVE), "held", True)):
            alerter.perform(replace(judged(1, one), stream=stream))
            assert alerter.is_pending is is_told
            await alerter.keep()

    run(tmp_path, None, then)


def test_the_message_about_an_approval_is_rewritten_with_what_became_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember, states = Outbox.remember, set[str]()

    def noted(outbox: Outbox, key: str, value: str) -> None:
        if key.startswith("handle"):
            states.update(row["state"] for row in outbox.rows("SELECT state FROM deliveries WHERE message != ''"))
        remember(outbox, key, value)

    monkeypatch.setattr(Outbox, "remember", noted)
    said = json.dumps({"ok": True, "channel": "C0123", "ts": "17.1"}).encode()
    with serving(body=said) as server:
        path = tmp_path / "alerts.yaml"
        bot = f"{{url: '{server.url}/', token: xoxb-1, channel: C0123, timeout: 30s}}"
        path.write_text(f"apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers:\n- name: oncall\n  slack: {bot}\n")
        book = Book()
        book.ask(asking(1), NOW)
        book.vote(book.changed[0].id, yes())
        wanted, approved = (news(one) for one in book.take())
        assert wanted and approved

        async def first(alerter: Alerter) -> None:
            await alerter.tell(wanted, "1")
            await until(lambda: server.got)
            await alerter.finish(WAIT_S)

        async def second(alerter: Alerter) -> None:
            await alerter.tell(approved, "2")
            await until(lambda: len(server.got) == 2)

        run(tmp_path, path, first)
        run(tmp_path, path, second)  # a later collector
    assert [got.path.rpartition("/")[2] for got in server.got] == ["chat.postMessage", "chat.update"]
    assert states == {"sending"}, "what a message is called is known before it counts as told"
    assert server.got[1].document["ts"] == "17.1" and "APPROVAL APPROVED" in server.got[1].body.decode()
