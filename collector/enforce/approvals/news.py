"""What people are told of an approval: that it is wanted, and what became of it. A change that tells them nothing has no alert."""

import hashlib
from dataclasses import replace
from typing import Any

from chaperone.collector.enforce.alert import Alert, cut
from chaperone.collector.enforce.approvals.document import document
from chaperone.collector.enforce.approvals.state import State
from chaperone.collector.enforce.approvals.values import Approval
from chaperone.collector.times import rfc3339

SHORT = 12  # digits of an id that is told
SHOWN = ("state", "needs", "votes", "until")
_SAYS = {
    State.APPROVED: "approved by {who}: {why}",
    State.DENIED: "denied by {who}: {why}",
    State.EXPIRED: "nobody decided in time",
    State.USED: "used: the request has passed",
    State.GONE: "withdrawn: the client left before anybody decided",
}


def news(approval: Approval, store: str = "") -> Alert | None:
    """`store`: options that name it in commands."""
    state, time, who, why = approval.history[-1]
    if approval.votes and state is State.PENDING:
        vote = approval.votes[-1]
        text, time = f"approved by {vote.person.name}: {vote.why} (more are wanted)", vote.time
    elif state is State.PENDING:
        text = ""
    else:
        text = _says(approval, state).format(who=who, why=why)
    if state is State.PENDING and approval.version > 1 and not approval.votes:
        return None  # only a client was told
    asked = approval.asking.alert
    return replace(
        asked,
        id=_id(approval),
        time=asked.time if not text else rfc3339(time),
        message=asked.message if not text else cut(f"{text}. It was: {asked.message}", 2_000),
        inspect=f"chaperone approvals show {approval.id[:SHORT]}{store}",
        approval=dict(asked.approval) | _about(approval, store),
    )


def likeness_of(approval: Approval) -> str:
    """Nothing is like it: each change is told by itself."""
    return f"approval {_id(approval)}"


def _says(approval: Approval, state: State) -> str:
    was_approved = any(entry[0] is State.APPROVED for entry in approval.history)
    if state is State.EXPIRED and was_approved:
        return "approved, but not used in time"
    return _SAYS[state]


def _about(approval: Approval, store: str) -> dict[str, Any]:
    """`decide`: commands; what a person may do now."""
    found = {key: value for key, value in document(approval).items() if key in SHOWN}
    short = approval.id[:SHORT]
    commands = {
        State.PENDING: [f"chaperone approvals {word} {short} --reason …{store}" for word in ("approve", "deny")],
        State.APPROVED: [f"chaperone approvals deny {short} --reason …{store}"],
    }
    show = f"chaperone approvals show {short}{store}"
    return {"id": approval.id, **found, "decide": [*commands.get(approval.state, []), show]}


def _id(approval: Approval) -> str:
    text = "\0".join((approval.id, str(approval.state), str(len(approval.votes)), str(len(approval.history))))
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"chaperone-news").hexdigest()
