"""One receiver's messages, one after another, for as long as the collector lives. Another receiver's trouble is not its own."""

import asyncio
import logging
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from chaperone.collector.enforce.alerting import Receiver
from chaperone.collector.enforce.bucket import Bucket
from chaperone.collector.enforce.counters import Counters, Event
from chaperone.collector.enforce.desk import Desk
from chaperone.collector.enforce.dispatch import Under, next_due, next_message, settle
from chaperone.collector.enforce.message import Message
from chaperone.collector.enforce.outcome import Fate, Outcome, delay_s
from chaperone.collector.enforce.send import send
from chaperone.collector.fault import place_of
from chaperone.collector.times import SECOND

LOG = logging.getLogger("chaperone.collector.alerts")
LONGEST_S = 60.0  # without looking
AFTER_FAULT_S = 5.0
Send = Callable[[Receiver, Message], Awaitable[Outcome]]


@dataclass(slots=True)
class Deliverer:
    """`wake`: there may be something to send. `failing`: the last try failed."""

    receiver: Receiver
    desk: Desk
    counters: Counters
    send: Send = send
    dice: random.Random = field(default_factory=random.Random)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    failing: bool = False

    async def serve(self) -> None:
        """Until cancelled. A fault of ours is told by its place, and is no end."""
        bucket = Bucket(self.receiver.limit, time.monotonic_ns())
        while True:
            try:
                await self._serve(bucket)
            except sqlite3.Error:
                await asyncio.sleep(AFTER_FAULT_S)  # a full disk: it may have space later
            except Exception as error:  # noqa: BLE001 - recording must not end with alerts
                LOG.error("alerts to %s: stopped for %gs by a fault: %s", self.receiver.name, AFTER_FAULT_S, place_of(error))
                await asyncio.sleep(AFTER_FAULT_S)

    async def _serve(self, bucket: Bucket) -> None:
        while True:
            self.wake.clear()
            room, now = bucket.room(time.monotonic_ns()), time.time_ns()
            under = await self.desk.run(lambda outbox, room=room, now=now: next_message(outbox, self.receiver.name, room, now))  # type: ignore[misc]
            if under is None:
                await self._wait(bucket)
            else:
                bucket.take(time.monotonic_ns())
                await self._settle(under, await self._try(await self._placed(under.message)))

    async def _placed(self, message: Message) -> Message:
        """With what an earlier message of the same approval is called."""
        if not message.approval:
            return message
        return replace(message, replaces=await self.desk.run(lambda outbox: outbox.setting(self._handle(message))))

    def _handle(self, message: Message) -> str:
        return f"handle {self.receiver.name} {message.approval}"

    async def _try(self, message: Message) -> Outcome:
        try:
            return await self.send(self.receiver, message)
        except Exception as error:  # noqa: BLE001 - one message that we fail on must not come again and again
            return Outcome(Fate.REFUSED, f"a fault in chaperone: {place_of(error)}")

    async def _settle(self, under: Under, outcome: Outcome) -> None:
        now = time.time_ns()
        due = now + int(delay_s(under.attempts, outcome.retry_after_s, self.dice) * SECOND)
        # First: once it is settled the collector may go, and a message that is sent again then replaces this one.
        if outcome.handle and under.message.approval:
            await self.desk.run(lambda outbox: outbox.remember(self._handle(under.message), outcome.handle))
        over = await self.desk.run(lambda outbox: settle(outbox, self.receiver.name, outcome, due, now))
        sent = outcome.fate is Fate.SENT
        if self.failing == sent:
            self._log(sent, outcome.why)
        self.failing = not sent
        self.counters.add(self.receiver.name, Event.SENT if sent else Event.FAILED if over else Event.RETRIED)

    async def _wait(self, bucket: Bucket) -> None:
        due = await self.desk.run(lambda outbox: next_due(outbox, self.receiver.name))
        wait_s = LONGEST_S if due is None else max(0.0, (due - time.time_ns()) / SECOND)
        if due is not None:
            wait_s = max(wait_s, bucket.wait_ns(time.monotonic_ns()) / SECOND, 0.001)
        try:
            await asyncio.wait_for(self.wake.wait(), min(wait_s, LONGEST_S))
        except TimeoutError:
            return

    def _log(self, is_sent: bool, why: str) -> None:
        if is_sent:
            LOG.info("alerts to %s: delivered again", self.receiver.name)
        else:
            LOG.warning("alerts to %s: not delivered, tried again later: %s", self.receiver.name, why)
