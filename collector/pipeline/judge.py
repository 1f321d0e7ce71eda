"""Calls, pieces and connections as they are recorded → verdicts in the recording, and to those who act on them.

A sink between the pipeline and the store: rows go through it unchanged. What a batch brought is judged together when the batch is over,
in the order of time, since an agent's records of several streams and sockets may overtake one another. The order, the times and what
rules remember since are stored with the verdicts, so that the same session judged again gives the same, and a restarted collector goes on.

Memory is one value per workload (or, where the API tells its service account, per service account), at most SCOPES of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from chaperone.collector.fault import place_of
from chaperone.collector.mask.masked import MaskedText
from chaperone.collector.pipeline.asking import Asking, Source
from chaperone.collector.pipeline.courts import Court, Courts, governed_by
from chaperone.collector.pipeline.keeping import kept
from chaperone.collector.pipeline.moments import Happened, Moments, done_of
from chaperone.collector.pipeline.performer import Performer
from chaperone.collector.pipeline.targets import Targets
from chaperone.collector.rules import changes
from chaperone.collector.rules.acting import acts
from chaperone.collector.rules.document import Rule
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.event import Document, Event, Subject
from chaperone.collector.rules.heirs import Heirs
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.ruleset import Rules
from chaperone.collector.rules.selector import raised
from chaperone.collector.rules.terms import Mode, Terms
from chaperone.collector.rules.verdict import Action, Enforce, Verdict
from chaperone.collector.store import facts
from chaperone.collector.store.docket import Docket
from chaperone.collector.store.heirs import heir_row
from chaperone.collector.store.recall import Past
from chaperone.collector.store.rows import Kind, Row, Sink
from chaperone.collector.store.verdicts import Judgement, Sitting, judgement, sitting_row, verdict_row
from chaperone.collector.times import time_ns
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note

SCOPES = 1_000
ALWAYS = (Action.ALLOW, Action.ALERT)  # they have no effect on the workload, so nothing is left undone
NOBODY = "nothing of this was held: it was only recorded"
Place = tuple[str, str, str]  # session, scope, digest of the rules
Entry = tuple[Place, Judgement, list[list[Any]]]  # what was judged, what changed in the memory


@dataclass(frozen=True, slots=True)
class Said:
    """The policies that a session's document names, and how often that changed."""

    policies: list[dict[str, Any]] = field(default_factory=list)
    version: int = 0


class Judge:
    """A pipeline's sink that judges. `sink` takes its rows and those of verdicts; `mask` makes a text that may be stored; `source` knows
    pods."""

    def __init__(
        self,
        rules: Rules,
        sink: Sink,
        mask: Callable[[str], MaskedText],
        performers: Sequence[Performer] = (),
        source: Source | None = None,
    ) -> None:
        self._sink, self._mask, self._performers = sink, mask, performers
        self._asking = Asking(source, mask)
        self._moments, self._targets, self._courts = Moments(), Targets(), Courts(rules)
        self._waiting: list[Happened] = []
        self._over: list[str] = []  # sessions that ended in this batch
        self._brought: dict[str, tuple[str, ...]] = {}  # texts of policies of sessions that are about to begin
        self._said: dict[str, Said] = {}  # which policies each session that goes on was told to have
        self._memories: dict[str, Memory] = {}
        self._next: Rules | None = None

    def append(self, row: Row, /) -> None:
        """Take a row on its way to the store; what it tells is judged by `settle`."""
        if (lasting := kept(row, self._courts.of(row.session).bodies)) is not None:
            self._sink.append(lasting)
        try:
            if row.kind is Kind.SESSION:
                self._session(row)
            elif row.kind is Kind.CALL:
                self._inherit(row)
            self._waiting += self._moments.of(row)
        except Exception as error:  # noqa: BLE001 - a row that can't be judged must still be recorded
            self._fail(row.session, f"{row.kind} {row.id}", error)

    @property
    def heirs(self) -> Heirs:
        """What governed workloads have made."""
        return self._courts.heirs

    def use(self, rules: Rules) -> None:
        """These rules from the next batch on. What rules remember that judge as before is kept. Any thread may call it."""
        self._next = rules

    def bring(self, session: str, texts: Sequence[str]) -> None:
        """A session that is about to begin has these policies of its own."""
        self._brought[session] = tuple(texts)

    def scans(self, session: str) -> bool:
        """Whether in a session's connections to others than the apiserver its secrets are looked for."""
        return self._courts.of(session).rules.scan

    def terms(self, session: str) -> Terms:
        """How a session is governed."""
        return self._courts.of(session).rules.terms

    def is_acting(self, session: str) -> bool:
        """Whether any of its rules has an effect on the workload."""
        return self._courts.of(session).is_acting

    def judges_channels(self, session: str) -> bool:
        """Whether any rule that acts is asked about channels."""
        return self._courts.of(session).judges_channels

    def masks(self, session: str) -> bool:
        """Whether any rule that acts has answers masked."""
        return self._courts.of(session).masks

    def foresee(self, row: Row) -> None:
        """A request that can't be waited for, or what a channel was sent, is decided by what is known of it. Only rules that act are
        asked; all are once it is whole, and of a channel as soon as one of them acts: then it ends here."""
        try:
            foreseen = list(self._moments.foreseen(row))
            self._ask(foreseen)
            for happened in foreseen:
                self._foresee(happened)
        except Exception as error:  # noqa: BLE001 - then the policy's terms decide
            self._fail(row.session, f"{row.kind} {row.id}", error)

    def _foresee(self, happened: Happened) -> None:
        event, session = self._looked_up(happened), str(happened.event.document.get("session", ""))
        court = self._courts.of(session)
        chosen = [rule for rule in court.rules.likely(event) if acts(rule)]
        verdicts, _ = evaluate(chosen, self._memory(scope_of(event)), event)
        if event.subject is Subject.CHANNEL:
            if verdicts:
                self._moments.known(done_of(event))
                self._sit([happened])
            return
        self._say(verdicts, happened, event, court)
        judged = self._with_process(happened, event, verdicts)
        for performer in self._performers:
            performer.foresee(judged)

    def settle(self) -> None:
        """A batch is over: judge what it brought."""
        self._exchange_rules()
        waiting, self._waiting = sorted(self._waiting, key=_order), []
        self._ask(waiting)
        self._sit(waiting)
        while self._over:
            self._courts.dismiss(session := self._over.pop())
            self._said.pop(session, None)

    def _sit(self, waiting: list[Happened]) -> None:
        entries = [entry for happened in waiting if (entry := self._judged(happened))]
        for (session, scope, digest), group in groupby(entries, key=lambda entry: entry[0]):
            sat = list(group)
            events, memory = tuple(entry[1] for entry in sat), tuple(change for entry in sat for change in entry[2])
            self._sink.append(sitting_row(Sitting(session, scope, digest, events, memory)))

    def forget(self, sessions: Iterable[str]) -> None:
        """Another collector has judged these since."""
        for session in sessions:
            self._remember(scope_of_session(self._moments.session_of(session)), Memory())
            self._courts.forget(session)
            self._moments.forget(session)
            self._said.pop(session, None)

    def recall(self, past: Past, docket: Docket) -> None:
        """Go on where an earlier collector ended."""
        for found in past.sessions:
            self._said[found.session["id"]] = Said(found.session.get("governedBy", []), found.session.get("governedAt", 0))
            self._convene(found.session)
            self._moments.open_session(found.session, found.processes)
        for call in docket.calls:
            self._moments.open_call(call)
        for _, subject, key, moment in docket.done:
            self._moments.known((subject, key, moment))
        told: dict[str, list[changes.Valid]] = {}
        for one in docket.remembered:
            told[one.scope] = of_scope = told.pop(one.scope, [])
            of_scope += changes.valid(one.changes, self._courts.of(one.session).named)
        for scope, of_scope in told.items():
            self._remember(scope, changes.folded(self._memory(scope), of_scope))

    def _session(self, row: Row) -> None:
        if "ended" in row.document:
            self._over.append(row.session)
        else:
            self._convene(row.document)

    def _inherit(self, row: Row) -> None:
        """What the call of a workload made is governed as the workload is."""
        court = self._courts.of(row.session)
        is_enforced = court.is_acting or raised(Mode.RECORD, self._courts.document(row.session)) is Mode.ENFORCE
        mode = Mode.ENFORCE if is_enforced else Mode.RECORD
        if heir := self.heirs.take(row.document, mode, court.modes):
            self._sink.append(heir_row(heir, row))
            for id_ in self._courts.seat_heirs():
                self._say_policies(self._courts.document(id_))

    def _convene(self, session: Document) -> None:
        """Which rules a session has."""
        id_ = session["id"]
        for problem in self._courts.convene(session, self._brought.pop(id_, ())):
            self._note(id_, "policy of the run", problem)
        self._say_policies(session)

    def _say_policies(self, session: Document) -> None:
        """In the session's document, where they are others than it said last."""
        id_ = session["id"]
        policies, said = governed_by(self._courts.of(id_).rules), self._said.get(id_, Said())
        if policies != said.policies and "time" in session:
            self._said[id_] = said = Said(policies, said.version + 1)
            self._sink.append(facts.session_governed(id_, time_ns(session["time"]), policies, said.version))

    def _judged(self, happened: Happened) -> Entry | None:
        try:
            return self._judge(happened)
        except Exception as error:  # noqa: BLE001 - one event must not take down the judging of others
            event = happened.event
            self._fail(str(event.document.get("session", "")), f"{event.subject} {event.key}", error)
            return None

    def _ask(self, waiting: list[Happened]) -> None:
        """What rules may read of these and traffic did not show."""
        try:
            self._asking.gather((happened.event, self._rules_for(happened.event)) for happened in waiting)
        except Exception as error:  # noqa: BLE001 - then it is unknown
            self._fail("", "look-ups", error)

    def _rules_for(self, event: Event) -> Sequence[Rule]:
        return self._courts.of(str(event.document.get("session", ""))).rules.likely(event)

    def _judge(self, happened: Happened) -> Entry | None:
        event, session = self._looked_up(happened), str(happened.event.document.get("session", ""))
        court, scope = self._courts.of(session), scope_of(happened.event)
        if not (chosen := court.rules.likely(event)) and event.subject is Subject.CHANNEL:
            return None  # of channels only what rules are asked about is worth a place in the order
        before = self._memory(scope)
        verdicts, after = evaluate(chosen, before, event)
        self._remember(scope, after)
        self._say(verdicts, happened, event, court)
        judged = self._with_process(happened, event, verdicts)
        for performer in self._performers:
            performer.perform(judged)
        place = session, scope, court.rules.digest
        return place, judgement(event, happened.time_ns), changes.changes(before, after, court.named)

    def _looked_up(self, happened: Happened) -> Event:
        """With what is known besides; and what is learnt from it."""
        event, now_ns = self._asking.told(happened.event), happened.time_ns
        self._targets.learn(event, now_ns)
        lookup = self._targets.of(event, now_ns)
        return event if lookup is event.lookup else event.with_lookup(lookup)

    def _say(self, verdicts: Sequence[Verdict], happened: Happened, event: Event, court: Court) -> None:
        for verdict in verdicts:
            undone = self._not_carried_out(verdict, happened.stream)
            self._sink.append(verdict_row(verdict, event, happened.time_ns, court.rules.digest, undone))

    def _with_process(self, happened: Happened, event: Event, verdicts: tuple[Verdict, ...]) -> Judged:
        about = event.document
        process = self._moments.process_of(str(about.get("session", "")), str(about["process"]["id"]))
        return Judged(event, verdicts, happened.stream, int(about.get("position", 0)), happened.at, process or about["process"])

    def _not_carried_out(self, verdict: Verdict, stream: str) -> str:
        """Why what it says has no effect; "" if it has one."""
        if verdict.action in ALWAYS:
            return ""
        if verdict.effective is not Enforce.ENFORCE:
            return f"{'the policy only records' if verdict.enforce is Enforce.ENFORCE else f'the rule says {verdict.enforce}'}"
        return "" if any(each.carries_out(verdict.action, stream, verdict.moment) for each in self._performers) else NOBODY

    def _memory(self, scope: str) -> Memory:
        return self._memories.get(scope, Memory())

    def _remember(self, scope: str, memory: Memory) -> None:
        self._memories.pop(scope, None)
        if memory.windows or memory.armed:
            self._memories[scope] = memory
        while len(self._memories) > SCOPES:
            del self._memories[next(iter(self._memories))]

    def _exchange_rules(self) -> None:
        if (rules := self._next) is None:
            return
        self._next = None
        before = self._courts.named_anywhere()
        self._courts.use(rules)
        after = self._courts.named_anywhere()
        for session in list(self._courts.sitting()):
            self._say_policies(session)
        for scope, memory in list(self._memories.items()):
            self._remember(scope, changes.kept(memory, before, after))

    def _fail(self, session: str, subject: str, error: Exception) -> None:
        self._note(session, subject, f"rules could not be asked: {place_of(error)}")

    def _note(self, session: str, subject: str, text: str) -> None:
        note = Note(SessionId(session), 0, subject, text, complete=False)
        self._sink.append(facts.note(note, self._mask(text), 0))


def scope_of(event: Event) -> str:
    """Whose memory an event belongs to."""
    return scope_of_session(event.session)


def scope_of_session(session: Document) -> str:
    """Whose memory its events belong to."""
    account = (session.get("lookedUp") or {}).get("serviceAccount", "")
    return str(account or session.get("workload") or session.get("id", ""))


def _order(happened: Happened) -> tuple[int, int]:
    return happened.time_ns, happened.event.moment
