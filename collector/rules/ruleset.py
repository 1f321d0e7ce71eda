"""All rules in force, arranged by when they are asked, so that an event costs only the rules it concerns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from chaperone.collector.rules.acting import acts
from chaperone.collector.rules.document import CountOf, Policy, Rule
from chaperone.collector.rules.evaluate import subjects, then_moment
from chaperone.collector.rules.event import Document, Event, Subject
from chaperone.collector.rules.selector import STRICTNESS, raised
from chaperone.collector.rules.terms import DEFAULT, Mode, Scan, Terms, strictest
from chaperone.collector.rules.verdict import Moment

Spot = tuple[Subject, Moment]
NONE: Mapping[str, Mode] = {}
RESOURCES = 1_000  # resources times spots that are remembered
SPOTS: tuple[Spot, ...] = (
    *((Subject.CALL, moment) for moment in (Moment.REQUEST, Moment.RESPONSE, Moment.END)),
    (Subject.CHANNEL, Moment.CHANNEL),
    (Subject.EGRESS, Moment.REQUEST),
    (Subject.SECRET, Moment.REQUEST),
    (Subject.TLS, Moment.REQUEST),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """`digest` names these rules in verdicts; `horizon_ns`: nothing older is remembered by any of them."""

    all: tuple[Rule, ...] = ()
    digest: str = ""
    horizon_ns: int = 0
    policies: tuple[Policy, ...] = field(default=(), repr=False)  # what they come from, those that are off included
    spots: Mapping[Spot, tuple[Rule, ...]] = field(default_factory=dict, repr=False)
    terms: Terms = DEFAULT  # how a workload is governed that all of their policies concern
    _likely: dict[tuple[Spot, str], tuple[Rule, ...]] = field(default_factory=dict, repr=False, compare=False)

    def at(self, event: Event) -> tuple[Rule, ...]:
        """Those that may say something about this event, in their order."""
        return self.spots.get((event.subject, event.moment), ())

    def likely(self, event: Event) -> tuple[Rule, ...]:
        """Of `at` those that are not ruled out by the call's resource: most rules are about a few."""
        spot, resource = (event.subject, event.moment), str(event.document.get("resource", ""))
        if (found := self._likely.get((spot, resource))) is None:
            if len(self._likely) >= RESOURCES:
                self._likely.clear()
            found = self._likely[spot, resource] = tuple(rule for rule in self.at(event) if _is_likely(rule, resource))
        return found

    @property
    def scan(self) -> bool:
        """Whether any of their policies has secrets looked for in connections to others than the apiserver."""
        return self.terms.egress_scan is Scan.ON or any(rule.scan for rule in self.all)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.all)


def arranged(policies: Iterable[Policy]) -> Rules:
    """The rules of policies but those that are off."""
    kept = tuple(policies)
    return ruleset((rule for policy in kept for rule in policy.rules if policy.terms.mode is not Mode.OFF), kept)


def concerning(rules: Rules, session: Document, inherited: Mapping[str, Mode] = NONE) -> Rules:
    """What of them concerns a session: policies whose selector fits it, or who made its pod, each in the mode that its pod's label, or
    its maker's mode, may raise."""
    chosen = tuple(
        _raised(policy, session, inherited.get(policy.name))
        for policy in rules.policies
        if policy.selector.concerns(session) or policy.name in inherited
    )
    joint = following(chosen)
    return rules if joint == rules.policies else arranged(joint)


def following(policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """All that concern a workload: those that follow enforce where a rule of any acts."""
    if not any(policy.terms.follows for policy in policies) or not any(acts(rule) for policy in policies for rule in policy.rules):
        return policies
    return tuple(with_mode(policy, Mode.ENFORCE) if policy.terms.follows else policy for policy in policies)


def ruleset(rules: Iterable[Rule], policies: tuple[Policy, ...] = ()) -> Rules:
    """Rules, arranged."""
    found = tuple(rules)
    text = "\n".join(f"{rule.policy} {rule.mode} {print_of(rule)}" for rule in found)
    spots = {spot: tuple(rule for rule in found if _belongs(rule, spot)) for spot in SPOTS}
    terms = strictest(policy.terms for policy in policies if policy.terms.mode is not Mode.OFF)
    return Rules(found, _digest(text), max(map(_horizon_ns, found), default=0), policies, spots, terms)


def named(rules: Rules) -> dict[tuple[str, str], tuple[Rule, str]]:
    """By policy and name, each with its print."""
    return {(rule.policy, rule.name): (rule, print_of(rule)) for rule in rules}


def joined(rules: Rules, more: Iterable[Policy]) -> tuple[Rules, tuple[str, ...]]:
    """With further policies, and the names of those that are left out: a policy of that name is in force and differs."""
    known = {rule.policy for rule in rules}
    new = [policy for policy in more if policy.terms.mode is not Mode.OFF]
    said = {(rule.policy, rule.name, print_of(rule)) for rule in rules}
    added = [rule for policy in new if policy.name not in known for rule in policy.rules]
    differ = [p.name for p in new if p.name in known and not {(p.name, rule.name, print_of(rule)) for rule in p.rules} <= said]
    kept = following((*rules.policies, *(policy for policy in new if policy.name not in known)))
    modes = {policy.name: policy.terms.mode for policy in kept}
    every = (replace(rule, mode=modes.get(rule.policy, rule.mode)) for rule in (*rules, *added))
    return (ruleset(every, kept) if len(kept) > len(rules.policies) else rules), tuple(differ)


def print_of(rule: Rule) -> str:
    """Of all that decides what a rule matches and remembers. What it says or does when it matched is not in it."""
    about = (rule.name, rule.when, rule.moment, rule.window, rule.then, rule.exceptions, rule.on_unknown, sorted(rule.spares))
    return _digest(repr(about))


def _raised(policy: Policy, session: Document, inherited: Mode | None) -> Policy:
    return with_mode(with_mode(policy, raised(policy.terms.mode, session)), inherited or policy.terms.mode)


def with_mode(policy: Policy, mode: Mode) -> Policy:
    """It in this mode, if that is stricter than its own."""
    if STRICTNESS.index(mode) <= STRICTNESS.index(policy.terms.mode):
        return policy
    return replace(policy, terms=replace(policy.terms, mode=mode), rules=tuple(replace(rule, mode=mode) for rule in policy.rules))


def _belongs(rule: Rule, spot: Spot) -> bool:
    subject, moment = spot
    if rule.then and then_moment(rule) is moment and subject in subjects(rule.then.when, moment):
        return True
    if subject is Subject.CHANNEL and rule.window.count_of is CountOf.OBJECTS:
        return True
    return rule.moment is moment and subject in subjects(rule.when, moment)


def _is_likely(rule: Rule, resource: str) -> bool:
    """A rule that waits for something else may be concerned by anything."""
    return rule.then is not None or all(resource in values for word, values in rule.when.guards if word == "call.resource")


def _horizon_ns(rule: Rule) -> int:
    return max(rule.window.within_ns, rule.then.within_ns if rule.then else 0)


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=6).hexdigest()
