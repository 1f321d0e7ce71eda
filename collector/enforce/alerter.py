"""Alerts from verdicts to receivers: the pipeline hands verdicts in, the outbox keeps them, one task a receiver delivers.

An alert is in the outbox before the rows of its call are stored, so before the agent is told that it need not send the call
again: whatever dies between, the call is judged again and the alert is known by its id.
"""

import asyncio
import logging
import os
import shlex
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaperone.collector.enforce import questions
from chaperone.collector.enforce.alert import Alert, alerts_of
from chaperone.collector.enforce.alerting import NOBODY, read_alerting
from chaperone.collector.enforce.counters import Counters, Event
from chaperone.collector.enforce.deliver import Deliverer
from chaperone.collector.enforce.desk import Desk, open_desk
from chaperone.collector.enforce.dispatch import hasten
from chaperone.collector.enforce.gathered import Alike, Gathering
from chaperone.collector.enforce.outbox import FILE
from chaperone.collector.enforce.routes import likeness
from chaperone.collector.enforce.send import tried
from chaperone.collector.nodes import PolicyError
from chaperone.collector.parameters import object_in
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Enforce, Moment, Verdict
from chaperone.collector.settings import store_directory

LOG = logging.getLogger("chaperone.collector.alerts")
RETRY_S = 1.0
LOOK_S = 0.05
WATCH_S = 2.0
ABSENT: tuple[int, ...] = ()
_SETTING = "alerts file"
_UNTOLD = (
    "SELECT DISTINCT receiver FROM deliveries WHERE state IN ('waiting', 'sending')"
    " AND receiver NOT IN (SELECT receiver FROM messages WHERE due_ns > :soon)"  # it failed, and the next try is far off
)
SOON_NS = 5_000_000_000


class Alerter:
    """A pipeline.performer.Performer. Made by `alerting_on`; all but `perform` is for the event loop."""

    def __init__(self, desk: Desk, store: str = "") -> None:
        self._desk, self._alerting, self._store = desk, NOBODY, store
        self._file, self._stamp = Path(), ABSENT
        self._gathering, self._refusal = Gathering(), ""
        self._changing = asyncio.Lock()
        self._deliverers: dict[str, tuple[Deliverer, asyncio.Task[None]]] = {}
        self.counters = Counters()
        self.asks: Callable[[Action, str, Moment], bool] = lambda *_: False  # whether people are asked about such a stream

    def carries_out(self, action: Action, _stream: str, _moment: Moment) -> bool:
        """People are told of every action; of these nothing else is done."""
        return action is Action.ALERT

    def perform(self, judged: Judged) -> None:
        """Gather the alerts of an event, but for what people are asked: that is told as approvals are. In the pipeline's thread."""
        verdicts = tuple(verdict for verdict in judged.verdicts if not self._is_asked(judged, verdict))
        for alert in alerts_of(replace(judged, verdicts=verdicts), self._store):
            self._gathering.add(likeness(self._alerting.grouping, alert), alert)

    def foresee(self, _judged: Judged) -> None:
        """People are told when it is judged for good."""

    def _is_asked(self, judged: Judged, verdict: Verdict) -> bool:
        acts = verdict.action is Action.APPROVE and verdict.effective is Enforce.ENFORCE
        return acts and self.asks(verdict.action, judged.stream, judged.event.moment)

    def gather(self, alert: Alert, likeness: str) -> None:
        """One that no verdict made. In the pipeline's thread: it is in the outbox before the rows of its batch are stored."""
        self._gathering.add(likeness, alert)

    async def tell(self, alert: Alert, likeness: str) -> None:
        """One that no event made; alerts of the same `likeness` are told as one. It is in the outbox when this returns."""
        self._gathering.add(likeness, alert)
        await self.keep()

    @property
    def is_pending(self) -> bool:
        """Are there alerts that are not in the outbox yet?"""
        return bool(self._gathering)

    def refusal(self) -> str:
        """Why alerts can't be kept now; "" when they can."""
        return self._refusal

    async def keep(self) -> None:
        """Return when what was gathered is in the outbox. While the disk has no space, `refusal` says so."""
        found = self._gathering.take()
        while found and not await self._kept(found):
            await asyncio.sleep(RETRY_S)
        self._wake()

    async def _kept(self, found: dict[str, Alike]) -> bool:
        try:
            dropped = await self._desk.run(lambda outbox: outbox.add(found, self._alerting, time.time_ns()))
        except sqlite3.OperationalError as error:
            self._refusal = f"the outbox of alerts can't be written: {error}"
            return False
        except sqlite3.DatabaseError as error:
            await self._renew(error)
            return False
        self._refusal = ""
        for receiver, count in dropped.items():
            self.counters.add(receiver, Event.DROPPED, count)
        return True

    async def _renew(self, error: sqlite3.DatabaseError) -> None:
        """Recording must not end with a broken outbox: what it had is told of no more."""
        LOG.error("the outbox of alerts is broken and was set aside; alerts in it are not told: %s", error)
        await self._desk.renew()
        if self._stamp:
            await self._desk.run(lambda outbox: outbox.remember(_SETTING, str(self._file)))

    async def use(self, file: Path | None) -> None:
        """Take a file's receivers and routes from now on, or the file that was used last. PolicyError; then nothing changes."""
        remembered = await self._desk.run(lambda outbox: outbox.setting(_SETTING))
        chosen = file or (Path(remembered) if remembered else None)
        if chosen is None:
            return
        stamp = await asyncio.to_thread(stamp_of, chosen)
        if file is None:
            self._file, self._stamp = chosen, stamp or (0,)  # a bad one may be mended
        alerting = await asyncio.to_thread(read_alerting, chosen)
        self._file, self._stamp = chosen, stamp
        await self._desk.run(lambda outbox: outbox.remember(_SETTING, str(chosen)))
        async with self._changing:
            await self.stop()
            self._alerting = alerting
            for receiver in alerting.receivers:
                deliverer = Deliverer(receiver, self._desk, self.counters)
                self._deliverers[receiver.name] = deliverer, asyncio.create_task(deliverer.serve())

    async def watch(self) -> None:
        """Read the file again when it changes, until cancelled. A bad one is told of, and what was used before goes on."""
        while True:
            await asyncio.sleep(WATCH_S)
            stamp = await asyncio.to_thread(stamp_of, self._file)
            if self._stamp and stamp and stamp != self._stamp:
                self._stamp = stamp
                try:
                    await self.use(self._file)
                except PolicyError as error:
                    LOG.warning("alerts go on as before: %s", error)

    async def ask(self, name: str, parameters: str) -> list[dict[str, Any]]:
        """Answer a question about alerts: those of questions.py; `alerts.status`, a row for each receiver; `alerts.test` {receiver};
        `alerts.use` {file}. ValueError."""
        if name == "alerts.test":
            found = await tried(self._alerting, object_in(parameters).get("receiver"))
            return [{"receiver": one.receiver, "sent": one.outcome.fate == "sent", "why": one.outcome.why} for one in found]
        if name == "alerts.status":
            return [self._status(name) for name in self._deliverers]
        if name == "alerts.use":
            await self.use(Path(str(object_in(parameters).get("file", ""))))
            return [{"receiver": receiver.name} for receiver in self._alerting.receivers]
        rows = await self._desk.run(lambda outbox: questions.ask(outbox, name, parameters, time.time_ns()))
        if name == "alerts.ack":
            self._wake()
        return rows

    async def finish(self, limit_s: float) -> None:
        """Before the collector goes: tell what waits for company, and return when all is told, or only what fails is left."""
        if not await self._untold():
            return
        await self._desk.run(lambda outbox: hasten(outbox, time.time_ns()))
        self._wake()
        deadline = time.monotonic() + limit_s
        while await self._untold() and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)

    async def stop(self) -> None:
        """Deliver no more; a message under way is sent again by the next collector."""
        tasks = [task for _, task in self._deliverers.values()]
        self._deliverers.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _status(self, name: str) -> dict[str, Any]:
        counts = {str(count.event): count.value for count in self.counters.values() if count.receiver == name}
        return {"receiver": name, "failing": self._deliverers[name][0].failing, "messages": counts}

    async def _untold(self) -> bool:
        soon = time.time_ns() + SOON_NS
        receivers = await self._desk.run(lambda outbox: outbox.rows(_UNTOLD, {"soon": soon}))
        found = [self._deliverers.get(row["receiver"]) for row in receivers]
        return any(one and not one[0].failing for one in found)

    def _wake(self) -> None:
        for deliverer, _ in self._deliverers.values():
            deliverer.wake.set()


def named(directory: Path) -> str:
    """What names the store in a command, unless it is where the command looks anyway."""
    usual = store_directory(None, {name: value for name, value in os.environ.items() if name != "CHAPERONE_STORE"}, os.getuid())
    return "" if directory.absolute() == usual else f" --store {shlex.quote(str(directory.absolute()))}"


def stamp_of(file: Path) -> tuple[int, ...]:
    """Another one when a file was written or replaced; () when there is none."""
    try:
        found = file.stat()
    except OSError:
        return ABSENT
    return found.st_mtime_ns, found.st_size, found.st_ino


@asynccontextmanager
async def alerting_on(directory: Path, file: Path | None) -> AsyncIterator[Alerter]:
    """Alerts of the store in `directory`. PolicyError when `file` is bad; when the remembered one has become so, one line says it."""
    desk = await open_desk(directory / FILE)
    alerter = Alerter(desk, named(directory))
    try:
        try:
            await alerter.use(file)
        except PolicyError as error:
            if file:
                raise
            LOG.warning("no alerts are delivered: %s", error)
        watching = asyncio.create_task(alerter.watch())
        yield alerter
        watching.cancel()
    finally:
        await alerter.stop()
        await desk.close()
