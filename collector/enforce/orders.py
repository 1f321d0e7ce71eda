"""What becomes of a held request, by what rules said of it: the strictest rule that acts decides.

Somebody who is asked for an approval (`Approvals`) answers later; until then the request waits, and whoever carries orders out
asks again. What the client of a refused request reads names the rule.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from chaperone.collector.rules.acting import acting
from chaperone.collector.rules.event import Document, Subject
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import ACTING, Action, How, Moment, Verdict
from chaperone.proto.refusals import MESSAGE_LIMIT, Refusal

Key = tuple[str, int]  # a stream, and the OUT position of a request's first byte
_REQUESTS = (Subject.CALL, Subject.EGRESS)
UNASKED = "it needs an approval, and nobody can be asked for one here"


class Answer(StrEnum):
    """How an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A held request that rules want approved: all of `judged.verdicts` that say so. Its digest is its document's `binding`."""

    judged: Judged


@dataclass(frozen=True, slots=True)
class Stand:
    """An approval now. `message`: what the client of a DENIED one reads."""

    id: str
    answer: Answer
    message: str = ""


class Approvals(Protocol):
    """Who asks people. Called in the pipeline's thread: it must not wait."""

    def asked(self, wanted: Wanted) -> Stand:
        """This request waits: how does its approval stand? Asked again on every look. APPROVED once, when its use is durable."""
        ...

    def told(self, wanted: Wanted) -> str:
        """Its client can't wait longer, and is refused with this."""
        ...

    def left(self, wanted: Wanted) -> None:
        """Its client is gone, undecided."""
        ...


class Fate(StrEnum):
    """What is to be done about a request."""

    GO = "go"
    REFUSE = "refuse"
    WAIT = "wait"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Decision:
    """About one request. `refusal`: what its client is told, or, with KILL, would have been. `verdict`: the one that decided, None where
    no rule acts. `approval`: its id, where one is asked for."""

    fate: Fate
    refusal: Refusal | None = None
    verdict: Verdict | None = None
    approval: str = ""
    masks: tuple[str, str] | None = None  # the resource and subresource whose secrets are replaced in the answer


@dataclass(slots=True)
class _Said:
    judged: Judged
    verdict: Verdict | None
    approval: str = ""


class Orders:
    """A pipeline.performer.Performer: remembers what was said of requests on held streams until they are decided."""

    def __init__(self, approvals: Approvals | None = None) -> None:
        self._approvals = approvals
        self._held: set[str] = set()
        self._said: dict[Key, _Said] = {}
        self._foreseen: set[Key] = set()
        self._over: set[str] = set()  # streams of channels that end

    def hold(self, stream: str) -> None:
        """What is written on this stream is held from now on."""
        self._held.add(stream)

    def let_go(self, stream: str) -> None:
        """It is held no more: whoever waits on it is gone."""
        self._held.discard(stream)
        self._over.discard(stream)
        self._foreseen = {key for key in self._foreseen if key[0] != stream}
        for key in [key for key in self._said if key[0] == stream]:
            self._leave(self._said.pop(key))

    def carries_out(self, action: Action, stream: str, moment: Moment) -> bool:
        """Whether it has an effect: only what is held can be stopped."""
        return stream in self._held and (action in ACTING if moment is Moment.REQUEST else _ends_channels(action, moment))

    def perform(self, judged: Judged) -> None:
        """Remember it, unless it was decided before it was whole."""
        key = judged.stream, judged.position
        if key in self._foreseen:
            self._foreseen.discard(key)
        elif judged.stream in self._held and judged.event.moment is Moment.REQUEST and judged.event.subject in _REQUESTS:
            self._said[key] = _Said(judged, _deciding(judged.verdicts))
        elif judged.stream in self._held and (verdict := acting(judged.verdicts)) and _ends_channels(verdict.action, judged.event.moment):
            self._over.add(judged.stream)

    def is_over(self, stream: str) -> bool:
        """Whether a rule has said of what a channel brought that it must not leave: what is held of it ends."""
        return stream in self._over

    def foresee(self, judged: Judged) -> None:
        """Remember it; what is said later comes too late."""
        self.perform(judged)
        self._foreseen.add((judged.stream, judged.position))

    def decision(self, key: Key, is_strict: bool = True) -> Decision | None:
        """What becomes of a request; None if rules have not been asked. `is_strict`: what can be read in two ways is not allowed."""
        said = self._said.get(key)
        if said is None:
            return None
        decision = replace(self._decided(said, is_strict), masks=_masks(said.judged))
        if decision.fate is not Fate.WAIT:
            del self._said[key]
        return decision

    def expired(self, key: Key) -> Decision:
        """A request that waits can't any longer: its client is told to come again."""
        said = self._said.pop(key)
        assert self._approvals is not None, "nobody was asked"
        return _refused(said, self._approvals.told(Wanted(said.judged)))

    def abandoned(self, key: Key) -> None:
        """The agent has decided by itself."""
        if said := self._said.pop(key, None):
            self._leave(said)

    def _leave(self, said: _Said) -> None:
        if self._approvals is not None and said.approval:
            self._approvals.left(Wanted(said.judged))

    def _decided(self, said: _Said, is_strict: bool) -> Decision:
        verdict = said.verdict
        doubts = said.judged.event.document.get("ambiguous") or ()
        if is_strict and doubts and (verdict is None or verdict.action is not Action.DENY):
            return _refused(said, f"it can be read in more than one way: {doubts[0]}")
        if verdict is None:
            return Decision(Fate.GO)
        if verdict.action is Action.APPROVE:
            return self._approved(said, verdict)
        refused = _refused(said, _denied(verdict))
        return replace(refused, fate=Fate.KILL) if verdict.action is Action.KILL or verdict.how is How.DISCONNECT else refused

    def _approved(self, said: _Said, verdict: Verdict) -> Decision:
        if self._approvals is None:
            return _refused(said, f"{_denied(verdict)} ({UNASKED})")
        stand = self._approvals.asked(Wanted(said.judged))
        said.approval = stand.id
        if stand.answer is Answer.PENDING:
            return Decision(Fate.WAIT, verdict=verdict, approval=stand.id)
        if stand.answer is Answer.APPROVED:
            return Decision(Fate.GO, verdict=verdict, approval=stand.id)
        return _refused(said, stand.message or _denied(verdict))


def _deciding(verdicts: Collection[Verdict]) -> Verdict | None:
    """What masks is carried out on the answer."""
    return acting(verdict for verdict in verdicts if verdict.action is not Action.MASK)


def _ends_channels(action: Action, moment: Moment) -> bool:
    """There is no clean way to refuse a piece of a channel, and nobody is asked about one."""
    return moment is Moment.CHANNEL and action in (Action.DENY, Action.APPROVE, Action.KILL)


def _masks(judged: Judged) -> tuple[str, str] | None:
    """Whose secrets are replaced, if a rule says so."""
    document = judged.event.document
    if judged.event.subject is not Subject.CALL or acting(each for each in judged.verdicts if each.action is Action.MASK) is None:
        return None
    return str(document["resource"]), str(document["subresource"])


def _denied(verdict: Verdict) -> str:
    return f'denied by policy "{verdict.rule}": {verdict.message}'


def _refused(said: _Said, why: str) -> Decision:
    document = said.judged.event.document
    told = f"{_about(document)} is forbidden: {why}"
    refusal = Refusal(str(document["id"]), told[:MESSAGE_LIMIT], bodiless=document["method"] == "HEAD")
    return Decision(Fate.REFUSE, refusal, said.verdict, said.approval)


def _about(document: Document) -> str:
    """As the apiserver names it: pods "web-0"; of what is no resource the method."""
    if not document.get("isResource"):
        return str(document["method"])
    named = ".".join(filter(None, (document["resource"], document["apiGroup"])))
    return f'{named} "{document["name"]}"' if document["name"] else named
