"""Requests that ask, people who answer, and an office with everything around it made by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from support.made_alerts import judged, verdict

from chaperone.collector.enforce.alert import Alert
from chaperone.collector.enforce.approvals.asking import asking_of
from chaperone.collector.enforce.approvals.office import Office, Outside
from chaperone.collector.enforce.approvals.values import Asking, Need, Person, Vote
from chaperone.collector.rules.consent import Consent
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Enforce, Severity

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
HOLD, LIFE = 10 * SECOND, 900 * SECOND
ROOT, ANN, BOB = Person("unix:root"), Person("user:ann", frozenset({"sre"})), Person("user:bob", frozenset({"sre"}))
ONE = Need("roles", "agents", 1, ("unix:root", "user:ann"))
TWO = Need("roles", "agents", 2, ("group:sre", "unix:root"))
CONSENT = Consent(1, ("unix:root", "user:ann"))


def wanting(number: int = 0, consent: Consent = CONSENT, rule: str = "roles", **changed: Any) -> Judged:
    """Call `number`, which a rule wants approved: all have the same bytes."""
    facts = {"verb": "create", "apiGroup": "rbac.authorization.k8s.io", "resource": "clusterroles", "name": "all", "namespace": ""}
    session = changed.pop("of", {"user": "agent", "node": "n1"})
    plain = judged(number, session=session, **({"binding": "b" * 64, "phase": "request", "code": None} | facts | changed))
    modes = {"enforce": Enforce.ENFORCE, "effective": Enforce.ENFORCE, "severity": Severity.HIGH}
    return replace(plain, verdicts=(verdict(plain.event, Action.APPROVE, rule, **modes, consent=consent),))


def alert(number: int = 0) -> Alert:
    found = asking_of(wanting(number))
    assert found
    return replace(found.alert, approval={**found.alert.approval, "diff": []})


def asking(number: int = 0, *needs: Need, **changed: Any) -> Asking:
    """The request of call `number`, with the bytes that all of them have."""
    identities = frozenset({"user:agent"})
    where = "5" * 32, "a" * 32, f"{number:032x}"
    return replace(Asking("b" * 64, "default:agent", needs or (ONE,), identities, *where, HOLD, LIFE, alert(number)), **changed)


def yes(person: Person = ROOT, time: int = NOW, why: str = "agreed") -> Vote:
    return Vote(person, True, time, why)


def no(person: Person = ROOT, time: int = NOW, why: str = "not today") -> Vote:
    return Vote(person, False, time, why)


@dataclass
class World:
    """What an office is given: `trouble`s of the store in turn, `now`, who is governed; and what it made of it."""

    trouble: list[str] = field(default_factory=list)
    kept: list[Mapping[str, Any]] = field(default_factory=list)
    told: list[Alert] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    governed: str = ""
    now: int = NOW
    changes: int = 0

    def office(self) -> Office:
        outside = Outside(self._keep, self._tell, self._describe, self._governed, lambda text: text.replace("hunter2", "~masked~"))
        return Office(outside, clock=lambda: self.now, on_change=self._changed)

    async def _keep(self, documents: Sequence[Mapping[str, Any]]) -> str:
        self.kept += documents
        return self.trouble.pop(0) if self.trouble else ""

    async def _tell(self, alert: Alert, likeness: str) -> None:
        self.told.append(alert)

    async def _describe(self, call: Mapping[str, Any]) -> list[str]:
        self.described.append(str(call["id"]))
        return ['+ rules.[0].verbs: ["*"]']

    async def _governed(self, person: Person) -> str:
        return f"{person.name} {self.governed}" if self.governed else ""

    def _changed(self) -> None:
        self.changes += 1
