"""Held calls → orders. What rules said of requests is remembered by enforce.orders; here it is carried into each stream.

A stream is held from its first byte or not at all: one that is joined later can't be decided on, and its connection ends, so that
the client comes back under hold.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from chaperone.collector.enforce.orders import Decision, Fate, Orders
from chaperone.collector.pipeline.held import HeldStream
from chaperone.collector.pipeline.instructions import killed, waiting
from chaperone.collector.pipeline.stream import Stream
from chaperone.collector.rules.terms import DEFAULT, OnFailure, Terms
from chaperone.collector.store.document import Refused
from chaperone.collector.store.rows import Row
from chaperone.collector.wire.compose.units import Asked
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Hold
from chaperone.proto.refusals import Refusal

Told = tuple[str, pb.Downward]  # an agent, and what it is told
LATE = "it was there before what it sends was held"
MARGIN_NS = 500_000_000  # an order that ends a wait is on its way before the wait does
UNASKED = "rules could not be asked"


@dataclass(slots=True)
class _Under:
    """A stream under hold. `deadline`: when a wait ends (monotonic ns), 0 without one."""

    agent: str
    stream: Stream
    held: HeldStream
    deadline: int = 0
    waited: frozenset[str] = frozenset()  # holds that were told to wait


class Judging(Protocol):
    """The judge."""

    def terms(self, session: str) -> Terms:
        """How a session is governed."""
        ...

    def foresee(self, row: Row) -> None:
        """A request is not whole, and is to be decided now."""
        ...


class Holds:
    """Of all streams."""

    def __init__(self, orders: Orders, judge: Judging | None = None) -> None:
        self._orders, self._judge = orders, judge
        self._under: dict[StreamId, _Under] = {}
        self._touched: dict[StreamId, None] = {}

    def hold(self, record: Hold, stream: Stream, agent: str, offset: int) -> None:
        """A call waits."""
        under = self._under.get(record.stream) or self._begin(record, stream, agent)
        stream.hold(record, offset)
        under.held.add(record)
        self._touched[record.stream] = None

    def heard(self, stream: StreamId) -> None:
        """Bytes of it came that may be awaited."""
        if stream in self._under:
            self._touched[stream] = None

    def decided(self, hold: str) -> None:
        """The agent has said what became of a hold: it is decided on no more."""
        for id_, under in self._under.items():
            if under.held.drop(hold):
                for asked in under.held.composer.due():
                    self._orders.abandoned((id_, asked.key))

    def over(self, stream: StreamId) -> None:
        """The stream has ended."""
        if self._under.pop(stream, None):
            self._orders.let_go(stream)
            self._touched.pop(stream, None)

    def settle(self) -> list[Told]:
        """All that could be judged was: the orders of what came."""
        touched, self._touched = self._touched, {}
        return [(self._under[id_].agent, told) for id_ in touched for told in self._orders_of(self._under[id_])]

    def look_again(self, agent: str) -> list[Told]:
        """The same of every stream of an agent on which something waits: an approval was decided, or time has passed."""
        self._touched.update((id_, None) for id_, under in self._under.items() if under.agent == agent and under.held.writes)
        return self.settle()

    @property
    def deadline(self) -> int:
        """When to look again at the latest (monotonic ns); 0 for never."""
        return min((under.deadline for under in self._under.values() if under.deadline), default=0)

    def _begin(self, record: Hold, stream: Stream, agent: str) -> _Under:
        held = HeldStream(record.stream)
        if not stream.be_held(held):
            held.broken = LATE
        self._orders.hold(record.stream)
        under = self._under[record.stream] = _Under(agent, stream, held)
        return under

    def _orders_of(self, under: _Under) -> Iterator[pb.Downward]:
        pending = self._decide(under) if not under.held.broken else None
        if under.held.broken:
            yield from self._end(under)
            return
        if pending or under.held.composer.waits:
            yield from self._wait(under, pending)
        else:
            under.deadline, under.waited = 0, frozenset()
            yield from under.held.write_orders()
        yield from under.held.read_orders()

    def _decide(self, under: _Under) -> Decision | None:
        """Say of each request that can be decided what becomes of it. One that waits for an approval."""
        pending = None
        for asked in under.held.composer.due():
            decision = self._decision(under, asked)
            if decision.fate is Fate.WAIT:
                pending = pending or decision
            elif decision.fate is Fate.KILL:
                under.held.broken = "a rule ends it"
            else:
                self._rule(under, asked.key, decision)
        return pending

    def _decision(self, under: _Under, asked: Asked) -> Decision:
        key = under.stream.home.stream, asked.key
        decision = self._orders.decision(key)
        if decision is None and not asked.whole and self._judge and (row := under.stream.begun(asked.key)):
            self._judge.foresee(row)
            decision = self._orders.decision(key)
        if decision and decision.fate is Fate.WAIT and 0 < under.deadline <= time.monotonic_ns():
            decision = self._orders.expired(key)
        return decision or self._undecided(under, asked)

    def _undecided(self, under: _Under, asked: Asked) -> Decision:
        """Nobody could judge it."""
        terms = self._terms(under)
        if terms.on_failure is OnFailure.ALLOW:
            return Decision(Fate.GO)
        return Decision(Fate.REFUSE, Refusal(under.stream.id_of(asked.key), f"forbidden: {UNASKED}"))

    def _terms(self, under: _Under) -> Terms:
        return self._judge.terms(under.stream.home.session) if self._judge else DEFAULT

    def _rule(self, under: _Under, key: int, decision: Decision) -> None:
        under.held.composer.rule(key, decision.refusal)
        if decision.refusal:
            under.stream.refuse(key, _refused(decision.refusal, decision))

    def _wait(self, under: _Under, pending: Decision | None) -> Iterator[pb.Downward]:
        """Writes stay as they are; once each is told for how long."""
        consent = pending.verdict.consent if pending and pending.verdict else None
        limit = consent.hold_limit_ns if consent else self._terms(under).hold_limit_ns
        for hold in under.held.writes:
            if hold.hold not in under.waited:
                under.deadline = under.deadline or time.monotonic_ns() + max(0, limit - MARGIN_NS)
                yield waiting(hold.hold, hold.time + limit)
        under.waited = frozenset(hold.hold for hold in under.held.writes)

    def _end(self, under: _Under) -> Iterator[pb.Downward]:
        for hold in (*under.held.writes, *under.held.reads):
            yield killed(hold.hold)
        under.held.writes, under.held.reads, under.deadline = [], [], 0


def _refused(refusal: Refusal, decision: Decision) -> Refused:
    verdict = decision.verdict
    rule, policy = (verdict.rule, verdict.policy) if verdict else ("", "")
    return Refused(refusal.id, refusal.message, rule, policy, decision.approval)
