"""What becomes of an approval, as a table. Nothing else changes a state."""

from enum import StrEnum


class State(StrEnum):
    """PENDING: people are asked. APPROVED: one request may pass, once. The others are ends; DENIED answers the same request for a while."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    USED = "used"
    GONE = "gone"


class Step(StrEnum):
    """What happens: enough people approve, one denies, time is over, the request passes, the client leaves before it was told to retry."""

    APPROVE = "approve"
    DENY = "deny"
    LAPSE = "lapse"
    USE = "use"
    LEAVE = "leave"


TABLE: dict[tuple[State, Step], State] = {
    (State.PENDING, Step.APPROVE): State.APPROVED,
    (State.PENDING, Step.DENY): State.DENIED,
    (State.PENDING, Step.LAPSE): State.EXPIRED,
    (State.PENDING, Step.LEAVE): State.GONE,
    (State.APPROVED, Step.USE): State.USED,
    (State.APPROVED, Step.DENY): State.DENIED,  # taken back in time
    (State.APPROVED, Step.LAPSE): State.EXPIRED,
}
OPEN = frozenset({State.PENDING, State.APPROVED})


def after(state: State, step: Step) -> State | None:
    """The next state; None when the step can't be taken."""
    return TABLE.get((state, step))
