"""Requests that ask, people who answer."""

from dataclasses import replace
from typing import Any

from chaperone.collector.enforce.alert import alerts_of, document
from chaperone.collector.enforce.approvals.values import Asking, Need, Person, Vote

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
HOLD, LIFE = 10 * SECOND, 900 * SECOND
ROOT, ANN, BOB = Person("unix:root"), Person("user:ann", frozenset({"sre"})), Person("user:bob", frozenset({"sre"}))
ONE = Need("roles", "agents", 1, ("unix:root", "user:ann"))
TWO = Need("roles", "agents", 2, ("group:sre", "unix:root"))


def asking(number: int = 0, *needs: Need, **changed: Any) -> Asking:
    """The request of call `number`, with the bytes that all of them have."""
    facts = Asking("b" * 64, "default:agent", needs or (ONE,), frozenset({"user:agent"}), "5" * 32, "a" * 32, f"{number:032x}", HOLD, LIFE)
    return replace(facts, shown=shown(number), **changed)


def shown(number: int = 0) -> dict[str, Any]:
    from support.made_alerts import judged, verdict  # noqa: PLC0415 - it knows much

    from chaperone.collector.rules.verdict import Action, Enforce  # noqa: PLC0415

    plain = judged(number, verb="create", resource="clusterroles", apiGroup="rbac.authorization.k8s.io", name="all", namespace="")
    says = verdict(plain.event, Action.APPROVE, "roles", enforce=Enforce.ENFORCE, effective=Enforce.ENFORCE)
    [found] = alerts_of(replace(plain, verdicts=(says,)))
    return document(found)


def yes(person: Person = ROOT, time: int = NOW, why: str = "agreed") -> Vote:
    return Vote(person, True, time, why)


def no(person: Person = ROOT, time: int = NOW, why: str = "not today") -> Vote:
    return Vote(person, False, time, why)
