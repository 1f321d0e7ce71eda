"""What a question needs: a right, and where. Questions that are not listed need `admin` everywhere."""

from dataclasses import dataclass
from enum import StrEnum

from chaperone.collector.identity.caller import Right


class Where(StrEnum):
    """In which namespace the right is needed."""

    EVERYWHERE = "everywhere"
    OF_SESSION = "session"  # the pod's of the session that is named; everywhere if none is
    NAMED = "namespace"  # the one that is named; everywhere if none is


@dataclass(frozen=True, slots=True)
class Need:
    """A right and where."""

    right: Right
    where: Where


NEEDS = {
    "sessions.list": Need(Right.VIEW, Where.NAMED),
    "sessions.activity": Need(Right.VIEW, Where.EVERYWHERE),
    "sessions.show": Need(Right.VIEW, Where.OF_SESSION),
    "session.summary": Need(Right.VIEW, Where.OF_SESSION),
    "calls.list": Need(Right.VIEW, Where.OF_SESSION),
    "connections.list": Need(Right.VIEW, Where.OF_SESSION),
    "verdicts.list": Need(Right.VIEW, Where.OF_SESSION),
    "events.list": Need(Right.VIEW, Where.OF_SESSION),
    "events.documents": Need(Right.VIEW, Where.OF_SESSION),
    "replay": Need(Right.VIEW, Where.OF_SESSION),
    "alerts.list": Need(Right.VIEW, Where.EVERYWHERE),
    "status": Need(Right.VIEW, Where.EVERYWHERE),
    "rules.status": Need(Right.VIEW, Where.EVERYWHERE),
    "approvals.list": Need(Right.VIEW, Where.OF_SESSION),
    "approvals.decide": Need(Right.APPROVE, Where.EVERYWHERE),
    "coverage": Need(Right.VIEW, Where.EVERYWHERE),
    "containers.open": Need(Right.VIEW, Where.EVERYWHERE),
    "unread.list": Need(Right.VIEW, Where.EVERYWHERE),
    "sessions.open": Need(Right.VIEW, Where.EVERYWHERE),
    "rules.counts": Need(Right.VIEW, Where.EVERYWHERE),
    "workloads.status": Need(Right.VIEW, Where.EVERYWHERE),
    "alerts.status": Need(Right.VIEW, Where.EVERYWHERE),
    "policies.history": Need(Right.VIEW, Where.EVERYWHERE),
    "glass": Need(Right.ADMIN, Where.EVERYWHERE),
    "glass.list": Need(Right.VIEW, Where.EVERYWHERE),
    "kill": Need(Right.ADMIN, Where.EVERYWHERE),
    "accesses.list": Need(Right.ADMIN, Where.EVERYWHERE),
}
OTHERS = Need(Right.ADMIN, Where.EVERYWHERE)
