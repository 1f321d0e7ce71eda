"""An approval as JSON values, as it is stored and shown, and back.

| key | value |
| --- | --- |
| id state version | `state`: pending, approved, denied, expired, used, gone; `version`: 1, 2, 3 … |
| session stream call | of the request that asked first; `used`: the call that passed |
| time until | when it was asked for; until when it is as it is |
| binding requester identities | digest of the request, whose it is, as whom it is made: none of those may decide |
| needs | [{rule, policy, approvals, approvers}]: of so many different people |
| votes | [{who, groups, how, approves, time, why}] |
| history | [{state, time, who, why}] |
| told | whether a client was told to come again |
| holdLimit expires | spans in ns |
| alert | what people are told: docs/alert.schema.json |
"""

from collections.abc import Mapping
from typing import Any

from chaperone.collector.enforce.alert import alert_from
from chaperone.collector.enforce.alert import document as alert_document
from chaperone.collector.enforce.approvals.state import State
from chaperone.collector.enforce.approvals.values import Approval, Asking, Need, Person, Vote
from chaperone.collector.times import rfc3339, time_ns

Document = dict[str, Any]


def document(approval: Approval) -> Document:
    """To JSON values."""
    asking = approval.asking
    return {
        "id": approval.id,
        "state": str(approval.state),
        "version": approval.version,
        "session": asking.session,
        "stream": asking.stream,
        "call": asking.call,
        "used": approval.used,
        "time": rfc3339(approval.asked),
        "until": rfc3339(approval.until),
        "binding": asking.binding,
        "requester": asking.requester,
        "identities": sorted(asking.identities),
        "needs": [_need_document(need) for need in asking.needs],
        "votes": [vote_document(vote) for vote in approval.votes],
        "history": [{"state": str(s), "time": rfc3339(time), "who": who, "why": why} for s, time, who, why in approval.history],
        "told": approval.told,
        "holdLimit": asking.hold_ns,
        "expires": asking.expires_ns,
        "alert": alert_document(asking.alert),
    }


def approval_from(found: Mapping[str, Any]) -> Approval:
    """From JSON values."""
    return Approval(
        id=found["id"],
        asking=_asking(found),
        state=State(found["state"]),
        asked=time_ns(found["time"]),
        until=time_ns(found["until"]),
        version=found["version"],
        votes=tuple(map(_vote, found["votes"])),
        used=found["used"],
        told=found["told"],
        history=tuple((State(one["state"]), time_ns(one["time"]), one["who"], one["why"]) for one in found["history"]),
    )


def vote_document(vote: Vote) -> Document:
    """{who, groups, how, approves, time, why}."""
    person = vote.person
    who = {"who": person.name, "groups": sorted(person.groups), "how": person.how}
    return who | {"approves": vote.approves, "time": rfc3339(vote.time), "why": vote.why}


def _need_document(need: Need) -> Document:
    return {"rule": need.rule, "policy": need.policy, "approvals": need.approvals, "approvers": list(need.approvers)}


def _asking(found: Mapping[str, Any]) -> Asking:
    return Asking(
        binding=found["binding"],
        requester=found["requester"],
        needs=tuple(Need(one["rule"], one["policy"], one["approvals"], tuple(one["approvers"])) for one in found["needs"]),
        identities=frozenset(found["identities"]),
        session=found["session"],
        stream=found["stream"],
        call=found["call"],
        hold_ns=found["holdLimit"],
        expires_ns=found["expires"],
        alert=alert_from(found["alert"]),
    )


def _vote(found: Mapping[str, Any]) -> Vote:
    person = Person(found["who"], frozenset(found["groups"]), found["how"])
    return Vote(person, found["approves"], time_ns(found["time"]), found["why"])
