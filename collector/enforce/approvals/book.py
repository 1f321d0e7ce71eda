"""All approvals that matter now: pure, with time as an argument. What changed is returned, to be stored and told by others.

A request that is asked for again finds its approval by its key. Bounded: over WAITING pending ones of one requester, or ALL in all,
more are refused without asking anybody; of those that are over, the last KEPT are remembered.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chaperone.collector.enforce.approvals.state import OPEN, State, Step, after
from chaperone.collector.enforce.approvals.values import Approval, Asking, Vote
from chaperone.collector.enforce.approvals.votes import VoteError, check, met

WAITING = 20
ALL = 1_000
KEPT = 5_000
SHOWN = 12  # hex digits of an id in a message


@dataclass(frozen=True, slots=True)
class Wait:
    """People are asked. The client waits until then, wall-clock ns."""

    approval: str
    until: int


@dataclass(frozen=True, slots=True)
class Go:
    """The request may pass, once the change is durable: it is used now."""

    approval: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request is refused, with this message for the client."""

    approval: str
    message: str


Answer = Wait | Go | Refuse


@dataclass(slots=True)
class Book:
    """`changed`: approvals that are new or different since `take`, in order."""

    changed: list[Approval] = field(default_factory=list)
    _all: dict[str, Approval] = field(default_factory=dict)
    _latest: dict[tuple[object, ...], str] = field(default_factory=dict)

    def recall(self, approvals: Iterable[Approval]) -> None:
        """What an earlier collector stored, oldest first."""
        for approval in approvals:
            self._all[approval.id] = approval
            self._latest[key_of(approval.asking)] = approval.id

    def take(self) -> list[Approval]:
        """What changed since the last call."""
        found, self.changed = self.changed, []
        return found

    def get(self, id_: str) -> Approval | None:
        """An approval by its whole id."""
        return self._all.get(id_)

    def starting(self, prefix: str) -> list[Approval]:
        """Those whose ids begin so."""
        return [approval for id_, approval in self._all.items() if id_.startswith(prefix)]

    def id_of(self, asking: Asking) -> str:
        """The approval that a request has asked for last; "" for none."""
        return self._latest.get(key_of(asking), "")

    def describe(self, id_: str, asking: Asking) -> None:
        """The same, told better: it is no change."""
        if found := self._all.get(id_):
            self._all[id_] = replace(found, asking=asking)

    def ask(self, asking: Asking, now: int) -> Answer:
        """A request came that rules want approval for."""
        if not asking.binding:
            return Refuse("", "what it would do is not known whole, so nobody can approve it")
        self.lapse(now)
        found = self._all.get(self._latest.get(key_of(asking), ""))
        if found and found.used and found.used == asking.call:
            return Go(found.id)  # the same bytes at the same place: their order was lost with the collector that gave it
        if found is None or not _answers(found, now):
            return self._begin(asking, now)
        if found.state is State.APPROVED:
            self._step(replace(found, used=asking.call), Step.USE, now, f"call {asking.call}")
            return Go(found.id)
        return Wait(found.id, now + asking.hold_ns) if found.state is State.PENDING else Refuse(found.id, _denial(found))

    def vote(self, id_: str, vote: Vote) -> Approval:
        """Somebody's word. VoteError when it does not count."""
        self.lapse(vote.time)
        found = self._all.get(id_)
        if found is None:
            raise VoteError(f"there is no approval {id_[:SHOWN]}")
        check(found, vote)
        voted = replace(found, votes=(*found.votes, vote))
        if not vote.approves:
            return self._step(voted, Step.DENY, vote.time, vote.person.name, vote.why)
        if met(voted.asking.needs, voted.votes):
            return self._step(voted, Step.APPROVE, vote.time, vote.person.name, vote.why)
        return self._put(voted)

    def told(self, id_: str, now: int) -> str:
        """A client waits no longer; what it is told."""
        found = self._all[id_]
        if found.state is State.DENIED:
            return _denial(found)
        if found.state is State.PENDING and not found.told:
            self._put(replace(found, told=True))
        return f"approval {found.state}: {id_[:SHOWN]}" + (", retry" if found.state in OPEN else "")

    def left(self, id_: str, now: int) -> None:
        """The last client that waited has gone. Nobody knows of it who was not told to come again."""
        found = self._all[id_]
        if found.state is State.PENDING and not found.told:
            self._step(found, Step.LEAVE, now, "the client")

    def lapse(self, now: int) -> None:
        """End what has waited too long."""
        for found in [approval for approval in self._all.values() if approval.state in OPEN and approval.until <= now]:
            self._step(found, Step.LAPSE, now, "time")

    def next_lapse(self) -> int | None:
        """When something will have waited too long."""
        return min((approval.until for approval in self._all.values() if approval.state in OPEN), default=None)

    def _begin(self, asking: Asking, now: int) -> Answer:
        waiting = [one for one in self._all.values() if one.state in OPEN]
        if len(waiting) >= ALL or sum(one.asking.requester == asking.requester for one in waiting) >= WAITING:
            return Refuse("", "too many requests wait for approval")
        id_ = approval_id(asking)
        version = self._all[id_].version if id_ in self._all else 0
        history = ((State.PENDING, now, f"call {asking.call}", ""),)
        self._latest[key_of(asking)] = id_
        self._put(Approval(id_, asking, State.PENDING, now, now + asking.expires_ns, version, history=history))
        return Wait(id_, now + asking.hold_ns)

    def _step(self, approval: Approval, step: Step, now: int, who: str, why: str = "") -> Approval:
        state = after(approval.state, step)
        if state is None:
            raise ValueError(f"an approval that is {approval.state} can't {step}")
        history = (*approval.history, (state, now, who, why))
        until = now + approval.asking.expires_ns if state in (State.APPROVED, State.DENIED) else now
        return self._put(replace(approval, state=state, until=until, history=history))

    def _put(self, approval: Approval) -> Approval:
        approval = replace(approval, version=approval.version + 1)
        self._all[approval.id] = approval
        self.changed.append(approval)
        if len(self._all) > KEPT:
            self._forget()
        return approval

    def _forget(self) -> None:
        over = [one for one in self._all.values() if one.state not in OPEN]
        for one in sorted(over, key=lambda one: one.until)[: len(self._all) - KEPT]:
            del self._all[one.id]
            if self._latest.get(key_of(one.asking)) == one.id:
                del self._latest[key_of(one.asking)]


def key_of(asking: Asking) -> tuple[object, ...]:
    """Equal for requests that one approval is good for: the same bytes, of the same requester, under the same rules."""
    return asking.binding, asking.requester, asking.needs


def approval_id(asking: Asking) -> str:
    """Of the request that asks first: judged again after a crash, it asks for the same approval."""
    text = "\0".join((asking.call, asking.binding, asking.requester, repr(asking.needs)))
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16, person=b"chaperone-ask").hexdigest()


def _answers(approval: Approval, now: int) -> bool:
    """Does it say anything to the same request, asked again?"""
    return approval.state in OPEN or (approval.state is State.DENIED and now < approval.until)


def _denial(approval: Approval) -> str:
    _, _, who, why = approval.history[-1]
    return f"approval denied by {who}: {why}"
