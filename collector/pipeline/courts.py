"""Which rules judge which session: the collector's own, and those that a run brought with it. A policy of a run can add, never replace."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.changes import Named
from chaperone.collector.rules.document import Policy, policies
from chaperone.collector.rules.ruleset import Rules, joined, named

BROUGHT = "policy"  # stands for the file's name in errors: its text came with the session


@dataclass(frozen=True, slots=True)
class Court:
    """Rules, and the same by name."""

    rules: Rules
    named: Named


class Courts:
    """The rules in force."""

    def __init__(self, rules: Rules) -> None:
        self._own = _court(rules)
        self._brought: dict[str, tuple[str, ...]] = {}  # session → texts
        self._of: dict[tuple[str, ...], Court] = {}  # texts → all rules with them

    def of(self, session: str) -> Court:
        """Those of a session."""
        texts = self._brought.get(session)
        return self._of[texts] if texts else self._own

    def convene(self, session: str, texts: Sequence[str]) -> list[str]:
        """A session began with these policies; what is wrong with them. Then the collector's own judge it alone."""
        if not texts:
            return []
        self._brought[session] = key = tuple(texts)
        if key in self._of:
            return []
        self._of[key], problems = self._joined(key)
        return problems

    def dismiss(self, session: str) -> None:
        """It ended. What of it comes later is judged as before while another has the same policies."""
        texts = self._brought.pop(session, None)
        if texts and texts not in self._brought.values():
            del self._of[texts]

    def use(self, rules: Rules) -> None:
        """Other rules are the collector's own now."""
        self._own = _court(rules)
        self._of = {texts: self._joined(texts)[0] for texts in self._of}

    def named_anywhere(self) -> Named:
        """All rules of all sessions by name."""
        return {name: rule for court in (*self._of.values(), self._own) for name, rule in court.named.items()}

    def _joined(self, texts: tuple[str, ...]) -> tuple[Court, list[str]]:
        try:
            found = read(texts)
        except PolicyError as error:
            return self._own, [f"it is not used: {error}"]
        rules, left_out = joined(self._own.rules, found)
        return _court(rules), [f"{name} is not used: the collector has another of that name" for name in left_out]


def read(texts: Sequence[str]) -> list[Policy]:
    """The policies of a run. PolicyError at the first mistake."""
    return [policy for text in texts for policy in policies(text, BROUGHT)]


def _court(rules: Rules) -> Court:
    return Court(rules, named(rules))
