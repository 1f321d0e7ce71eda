"""What rules say of one event: pure, and bounded by the number of rules and CEL's own budgets.

A rule is judged once for each call, at its moment: its words are known then and never change, so a session read back from
the store gives the same verdicts. `then` is looked for before a count is completed: the same event can't be both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from chaperone.collector.rules import memory as remember
from chaperone.collector.rules.condition import NO, Answer, Condition, answer
from chaperone.collector.rules.document import By, CountOf, OnUnknown, Rule
from chaperone.collector.rules.event import Event, Subject
from chaperone.collector.rules.memory import Key, Memory, Tick
from chaperone.collector.rules.message import shown
from chaperone.collector.rules.spared import kind_of
from chaperone.collector.rules.verdict import Action, Evidence, Moment, Verdict
from chaperone.collector.rules.words import WORDS, UnknownError, read
from chaperone.collector.times import time_ns

NOT_NOW = "not judged at this moment"
STRICTEST = (Action.DENY, Action.APPROVE, Action.KILL, Action.MASK, Action.ALERT, Action.ALLOW)


class Facts:
    """The words of one event, each read once."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self._known: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        """A word's value. UnknownError when it is not known."""
        if name not in self._known:
            try:
                self._known[name] = read(name, self.event)
            except UnknownError as error:
                self._known[name] = error
        value = self._known[name]
        if isinstance(value, UnknownError):
            raise UnknownError
        return value


@dataclass(frozen=True, slots=True)
class Finding:
    """How one rule fared: for `rules explain`. `why` is a short text; the verdict, if it came to one."""

    rule: Rule
    why: str
    answer: Answer
    verdict: Verdict | None = None


def evaluate(rules: Iterable[Rule], memory: Memory, event: Event) -> tuple[tuple[Verdict, ...], Memory]:
    """The verdicts, strictest first, and the memory's next value. `rules`: at least those that the event concerns (ruleset.py)."""
    found, memory = explain(rules, memory, event)
    verdicts = [finding.verdict for finding in found if finding.verdict]
    return tuple(sorted(verdicts, key=lambda verdict: STRICTEST.index(verdict.action))), memory


def explain(rules: Iterable[Rule], memory: Memory, event: Event) -> tuple[list[Finding], Memory]:
    """As `evaluate`, with every rule that is judged now, and why."""
    facts, found, spared = Facts(event), [], kind_of(event)
    for rule in rules:
        concerned = concerns(rule, event)
        if spared in rule.spares:
            found += [Finding(rule, f"spared ({spared}): the rule does not name it", NO)] if concerned else []
        elif rule.then and (told := _followed(rule, memory, facts)):
            found.append(told)
            memory = remember.disarmed(memory, _key(rule, facts))
        elif concerned:
            finding, memory = _judged(rule, memory, facts)
            found.append(finding)
        elif rule.then:
            found.append(Finding(rule, NOT_NOW, Answer(False)))
    return found, memory


def concerns(rule: Rule, event: Event) -> bool:
    """Is the rule's condition judged at this event?"""
    if rule.window.count_of is CountOf.OBJECTS and event.subject is Subject.CHANNEL:
        return event.piece["channel"] == "event" and rule.moment is not Moment.CHANNEL
    return rule.moment is event.moment and event.subject in subjects(rule.when, rule.moment)


@lru_cache(10_000)
def subjects(when: Condition, moment: Moment) -> frozenset[Subject]:
    """Of which kinds of event a condition speaks; one without any such word speaks of calls."""
    if moment is Moment.CHANNEL:
        return frozenset({Subject.CHANNEL})
    named = {WORDS[name].subject for name in when.words} - {None}
    return frozenset(subject for subject in named if subject) or frozenset({Subject.CALL})


def then_moment(rule: Rule) -> Moment | None:
    """When what must follow is judged."""
    return max((WORDS[name].moment for name in rule.then.when.words), default=Moment.REQUEST) if rule.then else None


def _judged(rule: Rule, memory: Memory, facts: Facts) -> tuple[Finding, Memory]:
    said = answer(rule.when, facts)
    if not (said.holds or (said.holds is None and rule.on_unknown is OnUnknown.MATCH)):
        return Finding(rule, "no" if said.holds is False else f"unknown: {', '.join(said.unknown)}", said), memory
    if _is_exempt(rule, facts):
        return Finding(rule, "an exception applies", said), memory
    return _counted(rule, memory, facts, said)


def _counted(rule: Rule, memory: Memory, facts: Facts, said: Answer) -> tuple[Finding, Memory]:
    """The condition held: is the count reached, and is there more to wait for?"""
    key, window, now = _key(rule, facts), rule.window, time_ns(facts.event.time)
    if window.count > 1 or window.count_of is CountOf.OBJECTS or window.distinct:
        tick = Tick(now, _amount(rule, facts), shown(window.distinct, facts) if window.distinct else "")
        if not tick.amount:
            return Finding(rule, "nothing to count", said), memory
        memory, total, different = remember.counted(memory, key, tick, window.within_ns)
        reached = different if window.distinct else total
        if reached < window.count:
            return Finding(rule, f"{reached} of {window.count}", said), memory
        memory = remember.cleared(memory, key)
    if rule.then:
        return Finding(rule, "waits for what must follow", said), remember.armed(memory, key, now + rule.then.within_ns)
    why = "matched" if said.holds else f"matched, as it is unknown: {', '.join(said.unknown)}"
    return Finding(rule, why, said, _verdict(rule, facts, said, rule.when)), memory


def _followed(rule: Rule, memory: Memory, facts: Facts) -> Finding | None:
    """What comes of it if the rule waits, and this is what it waits for."""
    if rule.then is None or not memory.armed or (until := memory.armed.get(_key(rule, facts))) is None:
        return None
    event, when, moment = facts.event, rule.then.when, then_moment(rule)
    if moment is None or event.moment is not moment or event.subject not in subjects(when, moment):
        return None
    if not until - rule.then.within_ns <= time_ns(event.time) <= until:
        return None
    said = answer(when, facts)
    return Finding(rule, "what it waited for came", said, _verdict(rule, facts, said, when)) if said.holds else None


def _amount(rule: Rule, facts: Facts) -> int:
    if rule.window.count_of is CountOf.CALLS:
        return 1
    try:
        return int(facts("call.objects"))
    except UnknownError:
        return 1  # an answer that was not kept had at least something


def _key(rule: Rule, facts: Facts) -> Key:
    return rule.policy, rule.name, _whose(rule.window.by, facts)


def _whose(by: By, facts: Facts) -> str:
    """A service account that is not known from the API counts with its workload: a claimed one could be changed at will."""
    names = {By.SESSION: "session.id", By.WORKLOAD: "workload.name", By.SERVICE_ACCOUNT: "workload.serviceAccount"}
    try:
        return str(facts(names[by]))
    except UnknownError:
        return str(facts("workload.name"))


def _is_exempt(rule: Rule, facts: Facts) -> bool:
    for exempt in rule.exceptions:
        wanted = (("workload.pod", exempt.pod), ("workload.serviceAccount", exempt.service_account))
        if all(_fits(name, pattern, facts) for name, pattern in wanted if pattern):
            return True
    return False


def _fits(name: str, pattern: str, facts: Facts) -> bool:
    try:
        return fnmatchcase(str(facts(name)), pattern)
    except UnknownError:
        return False


def _verdict(rule: Rule, facts: Facts, said: Answer, when: Condition) -> Verdict:
    """`when`: the condition that held on this event."""
    event = facts.event
    words = tuple((name, shown(name, facts)) for name in when.words if WORDS[name].type != "dyn")
    evidence = Evidence(str(event.document["id"]), str(event.document["stream"]), event.time, words, said.unknown)
    told = rule.message.told(facts)
    marks = rule.enforce, rule.severity, rule.mitre
    kinds = rule.consent, rule.ends, rule.how
    return Verdict(rule.do, rule.name, rule.policy, *marks, told, event.moment, evidence, rule.effective, *kinds)
