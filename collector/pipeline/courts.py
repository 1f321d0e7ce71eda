"""Which rules judge which session: those of the collector's policies that concern it, and those that a run brought with it.

A policy of a run can add, never replace. Its selector is not asked: whoever named the file for the run has chosen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.acting import acts
from chaperone.collector.rules.changes import Named
from chaperone.collector.rules.document import Policy, policies
from chaperone.collector.rules.event import Document, Subject
from chaperone.collector.rules.heirs import Heirs
from chaperone.collector.rules.ruleset import Rules, concerning, joined, named
from chaperone.collector.rules.selector import EVERYTHING
from chaperone.collector.rules.terms import Bodies, Mode, effective
from chaperone.collector.rules.verdict import Action, Enforce, Moment

BROUGHT = "policy"  # stands for the file's name in errors: its text came with the session
ENDED = 1_000  # sessions that are over and may be heard of once more
Modes = tuple[tuple[str, Mode], ...]  # of policies by name
Key = tuple[tuple[str, ...], Modes]  # texts that were brought; the collector's policies and their modes


@dataclass(frozen=True, slots=True)
class Court:
    """Rules, the same by name, and what they mean: what is kept of bodies; the modes of the policies that are not off; whether any rule
    acts, any that is asked about channels, and any that masks."""

    rules: Rules
    named: Named
    bodies: Bodies
    modes: Modes
    is_acting: bool
    judges_channels: bool
    masks: bool


@dataclass(frozen=True, slots=True)
class Party:
    """A session before its court."""

    document: Document
    texts: tuple[str, ...]
    key: Key
    court: Court


class Courts:
    """The rules in force."""

    def __init__(self, rules: Rules) -> None:
        self._own = _court(rules)
        self.heirs = Heirs()
        self._parties: dict[str, Party] = {}
        self._ended: dict[str, None] = {}
        self._of: dict[Key, Court] = {}

    def of(self, session: str) -> Court:
        """Those of a session; of one that nobody introduced all of the collector's."""
        party = self._parties.get(session)
        return party.court if party else self._own

    def convene(self, session: Document, texts: Sequence[str] = ()) -> list[str]:
        """A session began with these policies; what is wrong with them. Then the collector's own judge it alone."""
        self._parties[session["id"]], problems = self._seat(session, tuple(texts))
        return problems

    def seat_heirs(self) -> list[str]:
        """Sessions that are judged by others since somebody is known to have made their pods."""
        before = {id_: party.key for id_, party in self._parties.items()}
        concerned = {id_: party for id_, party in self._parties.items() if self.heirs.inherited(party.document)}
        self._parties |= {id_: self._seat(party.document, party.texts)[0] for id_, party in concerned.items()}
        return [id_ for id_ in concerned if self._parties[id_].key != before[id_]]

    def document(self, session: str) -> Document:
        """A session's; {} of one that nobody introduced."""
        party = self._parties.get(session)
        return party.document if party else {}

    def dismiss(self, session: str) -> None:
        """It ended; for a while what of it comes later is judged as before."""
        if session in self._parties:
            self._ended[session] = None
        while len(self._ended) > ENDED:
            self._forget(next(iter(self._ended)))

    def forget(self, session: str) -> None:
        """Nothing more of it is judged here."""
        self._parties.pop(session, None)
        self._ended.pop(session, None)

    def use(self, rules: Rules) -> None:
        """Other rules are the collector's own now."""
        self._own, self._of = _court(rules), {}
        self._parties = {id_: self._seat(party.document, party.texts)[0] for id_, party in self._parties.items()}

    def sitting(self) -> Iterator[Document]:
        """The sessions that go on."""
        return (party.document for session, party in self._parties.items() if session not in self._ended)

    def named_anywhere(self) -> Named:
        """All rules of all sessions by name."""
        return {name: rule for court in (*self._of.values(), self._own) for name, rule in court.named.items()}

    def _seat(self, session: Document, texts: tuple[str, ...]) -> tuple[Party, list[str]]:
        chosen = concerning(self._own.rules, session, self.heirs.inherited(session))
        rules, problems = _joined(chosen, texts)
        key = texts, tuple((policy.name, policy.terms.mode) for policy in chosen.policies)
        if key not in self._of:
            self._of[key] = self._own if rules is self._own.rules else _court(rules)
        return Party(session, texts, key, self._of[key]), problems

    def _forget(self, session: str) -> None:
        del self._ended[session]
        gone = self._parties.pop(session)
        if all(party.key != gone.key for party in self._parties.values()):
            self._of.pop(gone.key, None)


def read(texts: Sequence[str]) -> list[Policy]:
    """The policies of a run. PolicyError at the first mistake."""
    return [replace(policy, selector=EVERYTHING) for text in texts for policy in policies(text, BROUGHT)]


def governed_by(rules: Rules) -> list[dict[str, Any]]:
    """What a session's document says of the policies that judge it: how many rules each has, and how many of them act."""
    return [
        {
            "policy": policy.name,
            "mode": str(policy.terms.mode),
            "from": "run" if policy.file == BROUGHT else "collector",
            "rules": len(policy.rules),
            "enforced": sum(effective(policy.terms.mode, rule.enforce) is Enforce.ENFORCE for rule in policy.rules),
        }
        for policy in rules.policies
    ]


def _joined(rules: Rules, texts: tuple[str, ...]) -> tuple[Rules, list[str]]:
    try:
        found = read(texts)
    except PolicyError as error:
        return rules, [f"it is not used: {error}"]
    joint, left_out = joined(rules, found)
    return joint, [f"{name} is not used: the collector has another of that name" for name in left_out]


def _court(rules: Rules) -> Court:
    acting = [rule for rule in rules if acts(rule)]
    return Court(
        rules,
        named(rules),
        bodies=rules.terms.bodies,
        modes=tuple((policy.name, policy.terms.mode) for policy in rules.policies if policy.terms.mode is not Mode.OFF),
        is_acting=bool(acting),
        judges_channels=any(map(acts, rules.spots.get((Subject.CHANNEL, Moment.CHANNEL), ()))),
        masks=any(rule.do is Action.MASK for rule in acting),
    )
