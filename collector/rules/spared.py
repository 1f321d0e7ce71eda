"""What rules leave alone unless they name it: leases and health requests, without which what runs in a cluster takes itself for dead.

A rule about all writes is hardly meant to end a leader's term. It names them if its condition has them in a text ("leases", "/readyz") or
asks call.public; and a policy can say that it spares none.
"""

from collections.abc import Iterable
from enum import StrEnum

from chaperone.collector.nodes import Place
from chaperone.collector.rules.condition import Condition
from chaperone.collector.rules.event import Document, Event, Subject
from chaperone.collector.rules.words import HEALTH, is_within

GROUP = "coordination.k8s.io"
RENEWALS = frozenset({"get", "create", "update", "patch", "apply"})


class Spared(StrEnum):
    """What may be left alone."""

    LEASES = "leases"
    HEALTH = "health"


ALL = frozenset(Spared)
_NAMES = {Spared.LEASES: (GROUP, "leases"), Spared.HEALTH: tuple(path[1:] for path in HEALTH)}


def spares(place: Place | None) -> frozenset[Spared]:
    """What a policy says of it. PolicyError at the first mistake."""
    return ALL if place is None else frozenset(entry.choice(Spared) for entry in place.entries())


def named_by(conditions: Iterable[Condition]) -> frozenset[Spared]:
    """What these mean to speak of."""
    return frozenset(kind for condition in conditions for kind in Spared if _names(condition, kind))


def kind_of(event: Event) -> Spared | None:
    """Which of them a call is: a lease that is read or renewed, a request for health that can be read in one way."""
    call = event.document
    if event.subject is not Subject.CALL:
        return None
    if (call["apiGroup"], call["resource"], call["subresource"]) == (GROUP, "leases", ""):
        return Spared.LEASES if call["verb"] in RENEWALS else None
    return Spared.HEALTH if _is_health(call) else None


def _names(condition: Condition, kind: Spared) -> bool:
    is_asked = kind is Spared.HEALTH and "call.public" in condition.words
    return is_asked or any(name in text for text in condition.texts for name in _NAMES[kind])


def _is_health(call: Document) -> bool:
    path = str(call["requestURI"]).partition("?")[0]
    return is_within(path, HEALTH) and not call["resource"] and call["method"] in ("GET", "HEAD") and not call.get("ambiguous")
