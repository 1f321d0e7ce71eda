"""Held calls → orders. What rules said of requests is remembered by enforce.orders; here it is carried into each stream.

A stream is held from its first byte or not at all: one that is joined later can't be decided on, and its connection ends, so that
the client comes back under hold. One whose writes reach no socket shows nothing of what is sent, and ends too.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from chaperone.collector.enforce.orders import Decision, Fate, Orders
from chaperone.collector.fault import place_of
from chaperone.collector.mask.inline.choice import fields_of, scanner
from chaperone.collector.pipeline.held import HeldStream
from chaperone.collector.pipeline.instructions import waiting
from chaperone.collector.pipeline.latecomers import Latecomers
from chaperone.collector.pipeline.loose import Departures
from chaperone.collector.pipeline.stream import Stream
from chaperone.collector.rules.terms import DEFAULT, OnFailure, Terms
from chaperone.collector.store.document import Refused
from chaperone.collector.store.rows import Row
from chaperone.collector.wire.compose.composer import Composer
from chaperone.collector.wire.compose.units import Asked
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold, Outcome
from chaperone.proto.refusals import Refusal

Told = tuple[str, pb.Downward]  # an agent, and what it is told
LATE = "it was there before what it sends was held"
MARGIN_NS = 500_000_000  # an order that ends a wait is on its way before the wait does
SLOW_NS = 5_000_000_000  # after so long a request is decided by its head, in the next write
FAULT = "a fault in the collector"
UNSEEN = "the agent could not read what it holds"
UNASKED = "rules could not be asked"
UNASSOCIATED = "what it wrote reached no socket: no proof that this is what is sent"
ALLOWED = "timeout-allow"  # an outcome: nobody decided in time, and the policy lets it go


@dataclass(slots=True)
class _Under:
    """A stream under hold. `deadline`: when a wait ends (monotonic ns), 0 without one."""

    agent: str
    stream: Stream
    held: HeldStream
    deadline: int = 0
    waited: frozenset[str] = frozenset()  # holds that were told to wait
    is_ended: bool = False  # whether a rule has said so
    begun: tuple[int | None, int] = None, 0  # the oldest request that is not whole, and since when (monotonic ns)
    departures: Departures = field(default_factory=Departures)


class Judging(Protocol):
    """The judge."""

    def terms(self, session: str) -> Terms:
        """How a session is governed."""
        ...

    def judges_channels(self, session: str) -> bool:
        """Whether any rule that acts is asked about channels."""
        ...

    def masks(self, session: str) -> bool:
        """Whether any rule that acts has answers masked."""
        ...

    def foresee(self, row: Row) -> None:
        """A request, or what a channel was sent, is not whole, and is to be decided now."""
        ...


class Holds:
    """Of all streams."""

    def __init__(self, orders: Orders, judge: Judging | None = None) -> None:
        self._orders, self._judge = orders, judge
        self._under: dict[StreamId, _Under] = {}
        self._waiting: dict[str, StreamId] = {}  # holds without an outcome
        self._touched: dict[StreamId, None] = {}
        self.latecomers = Latecomers(masks=self.masks)

    def hold(self, record: Hold, stream: Stream, agent: str, offset: int) -> None:
        """A call waits."""
        under = self._under.get(record.stream) or self._begin(record, stream, agent)
        if len(record.data) == record.size:
            stream.hold(record, offset)
        else:
            under.held.broken = under.held.broken or UNSEEN
        if record.direction is Direction.OUT and not stream.is_bound and under.departures.is_enough(record.time):
            under.held.broken = under.held.broken or UNASSOCIATED
        under.held.add(record)
        under.departures.asked(record)
        self._waiting[record.hold] = record.stream
        self._touched[record.stream] = None

    def heard(self, stream: StreamId) -> None:
        """Bytes of it came that may be awaited."""
        if stream in self._under:
            self._touched[stream] = None

    def decided(self, outcome: Outcome) -> None:
        """The agent has said what became of a hold: it is decided on no more. One that was let go by the agent itself lets go of its
        whole stream."""
        id_ = self._waiting.pop(outcome.hold, None)
        under = self._under.get(id_) if id_ else None
        if id_ is None or under is None:
            return
        under.departures.told(outcome)
        if outcome.order == ALLOWED:
            self.over(id_)
            under.stream.be_free()
        elif under.held.drop(outcome.hold):
            for asked in under.held.composer.due():
                self._orders.abandoned((id_, asked.key))

    def over(self, stream: StreamId) -> None:
        """The stream has ended."""
        if self._under.pop(stream, None):
            self._orders.let_go(stream)
            self._touched.pop(stream, None)
            self._waiting = {hold: id_ for hold, id_ in self._waiting.items() if id_ != stream}

    def suspend(self, agent: str) -> None:
        """This agent holds nothing any more. A stream that it holds later is one that was there before."""
        for id_, under in list(self._under.items()):
            if under.agent == agent:
                self.over(id_)
                under.stream.be_free()
        self.latecomers.suspend(agent)

    def ends_latecomers(self, session: str) -> bool:
        """Whether what can't be decided on is not allowed there."""
        return (self._judge.terms(session) if self._judge else DEFAULT).unreadable is OnFailure.DENY

    def masks(self, session: str) -> bool:
        """Whether what is read there is masked."""
        return self._judge is not None and self._judge.masks(session)

    def settle(self) -> list[Told]:
        """All that could be judged was: the orders of what came."""
        touched, self._touched = self._touched, {}
        agents = {id_: self._under[id_].agent for id_ in touched}
        return [(agent, told) for id_, agent in agents.items() for told in self._guarded(id_)] + self.latecomers.told()

    def look_again(self, agent: str) -> list[Told]:
        """The same of every stream of an agent on which something waits, or of which more is to be held: an approval was decided, time has
        passed, or rules are others."""
        mine = [(id_, under) for id_, under in self._under.items() if under.agent == agent]
        self._touched.update((id_, None) for id_, under in mine if under.held.writes or self._is_asked_about_again(under))
        return self.settle()

    @property
    def deadline(self) -> int:
        """When to look again at the latest (monotonic ns); 0 for never."""
        deadlines = [self.latecomers.deadline, *(under.deadline for under in self._under.values())]
        return min((deadline for deadline in deadlines if deadline), default=0)

    def _begin(self, record: Hold, stream: Stream, agent: str) -> _Under:
        held = HeldStream(record.stream, Composer(self.masks(stream.home.session)))
        if not stream.be_held(held):
            held.broken = LATE
        self._orders.hold(record.stream)
        under = self._under[record.stream] = _Under(agent, stream, held)
        return under

    def _guarded(self, id_: StreamId) -> list[pb.Downward]:
        """A stream that our code fails on ends; the others go on."""
        under = self._under[id_]
        try:
            return list(self._orders_of(id_))
        except Exception as error:  # noqa: BLE001 - one stream must not take down others
            under.stream.note(f"nothing of it is decided any more: {place_of(error)}")
            under.held.broken, under.is_ended, under.deadline = FAULT, True, 0
            return list(under.held.end())

    def _orders_of(self, id_: StreamId) -> Iterator[pb.Downward]:
        under = self._under[id_]
        held = under.held
        channels = self._judges_channels(under)
        if channels and held.writes and not held.broken:
            self._foresee(under.stream)
        if self._orders.is_over(id_):
            held.broken, under.is_ended = "a rule ends it", True
        pending = self._decide(under) if not held.broken else None
        if held.broken:
            yield from self._end(id_, under)
            return
        if pending or held.composer.waits:
            yield from self._wait(under, pending)
        else:
            under.deadline, under.waited = 0, frozenset()
            yield from held.write_orders(under.stream.told if channels else None)
        yield from held.read_orders()
        if held.broken:
            yield from self._end(id_, under)

    def _judges_channels(self, under: _Under) -> bool:
        return self._judge is not None and self._judge.judges_channels(under.stream.home.session)

    def _is_asked_about_again(self, under: _Under) -> bool:
        """Whether rules ask for its channels, which they did not when these were let go on."""
        return under.held.has_free_channels and self._judges_channels(under)

    def _foresee(self, stream: Stream) -> None:
        """What is typed must be decided before it leaves, not when its line is over."""
        for row in stream.typed():
            if self._judge is not None:
                self._judge.foresee(row)

    def _decide(self, under: _Under) -> Decision | None:
        """Say of each request that can be decided what becomes of it. One that waits for an approval."""
        pending = None
        for asked in under.held.composer.due(self._is_slow(under)):
            decision = self._decision(under, asked)
            if decision.fate is Fate.WAIT:
                pending = pending or decision
            elif decision.fate is Fate.KILL:
                under.held.broken, under.is_ended = "a rule ends it", True
                if decision.refusal:
                    under.stream.refuse(asked.key, _refused(decision.refusal, decision), None)
            else:
                self._rule(under, asked.key, decision)
        return pending

    def _is_slow(self, under: _Under) -> bool:
        """Whether the rest of a request has been waited for long enough."""
        begun, now = under.held.composer.begun, time.monotonic_ns()
        if begun != under.begun[0]:
            under.begun = begun, now
        return begun is not None and now - under.begun[1] >= SLOW_NS

    def _decision(self, under: _Under, asked: Asked) -> Decision:
        key = under.stream.home.stream, asked.key
        is_strict = self._terms(under).unreadable is OnFailure.DENY
        decision = self._orders.decision(key, is_strict)
        if decision is None and not asked.whole and self._judge and (row := under.stream.begun(asked.key)):
            self._judge.foresee(row)
            decision = self._orders.decision(key, is_strict)
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
        if decision.masks and not decision.refusal:
            under.held.composer.mask(key, partial(scanner, fields_of(*decision.masks)))
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

    def _end(self, id_: StreamId, under: _Under) -> Iterator[pb.Downward]:
        """What can't be read is not allowed, unless the policy says so, or it is no HTTP and so nothing that an apiserver takes."""
        under.deadline = 0
        is_allowed = under.held.is_foreign or self._terms(under).unreadable is OnFailure.ALLOW
        if under.is_ended or under.held.is_undeliverable or not is_allowed:
            yield from under.held.end()
            return
        yield from under.held.free()
        self.over(id_)
        under.stream.be_free()


def _refused(refusal: Refusal, decision: Decision) -> Refused:
    verdict = decision.verdict
    rule, policy = (verdict.rule, verdict.policy) if verdict else ("", "")
    return Refused(refusal.id, refusal.message, rule, policy, decision.approval)
