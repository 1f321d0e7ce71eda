"""What is sent: one alert, how many more like it came, or many alerts in one. docs/alert.schema.json describes `document`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chaperone.collector.enforce.alert import Acting, Alert, What, Who, document

SCHEMA = "chaperone.dev/alert-message/v1"
LISTED = 50  # alerts in one digest; the rest is counted


class Kind(StrEnum):
    """Which of them."""

    FIRST = "first"
    MORE = "more"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Entry:
    """`alert`: its document; `count`: of alike ones so far, `before` of which were told; `last`: {time, message, call} of the latest."""

    alert: dict[str, Any]
    count: int
    before: int
    last: dict[str, Any]

    @property
    def new(self) -> int:
        """How many were not told before."""
        return self.count - self.before


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the same at each try. `omitted`: entries beyond LISTED; `dropped`: alerts that the receiver will never get. `replaces`: what
    the receiver calls an earlier message of the same approval, which is rewritten where it can be."""

    id: str
    kind: Kind
    entries: tuple[Entry, ...]
    omitted: int = 0
    dropped: int = 0
    replaces: str = ""

    @property
    def approval(self) -> str:
        """The approval that this one alert is about; ""."""
        one = self.entries[0].alert if len(self.entries) == 1 else {}
        return str(one.get("approval", {}).get("id", ""))

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        alerts = [{"alert": entry.alert, "count": entry.count, "new": entry.new, "last": entry.last} for entry in self.entries]
        return {
            "schema": SCHEMA,
            "id": self.id,
            "kind": str(self.kind),
            "alerts": alerts,
            "omitted": self.omitted,
            "dropped": self.dropped,
        }


def message_id(parts: Sequence[tuple[str, int]]) -> str:
    """Of alerts' ids and how many alike were told before: an alert's own id when it is told for the first time."""
    if len(parts) == 1:
        return parts[0][0] if not parts[0][1] else f"{parts[0][0]}-{parts[0][1]}"
    text = "\0".join(f"{id_}-{before}" for id_, before in parts)
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"chaperone-digest").hexdigest()


def trial(id_: str, time: str) -> Message:
    """A message that says it is a test."""
    text = "This is a test: alerts from Chaperone arrive here."
    alert = Alert(
        id=id_,
        time=time,
        severity="info",
        action="alert",
        mode="observe",
        rule="test",
        policy="test",
        mitre=(),
        message=text,
        moment="request",
        what=What("call", "GET", "/version", "", "get"),
        who=Who("", "unknown", "", "", "", "", ""),
        process=Acting(None, "chaperone", "chaperone alerts test", ""),
        session="",
        call="",
        evidence=(),
        unknown=(),
        labels={},
        replay="",
        inspect="",
    )
    return Message(id_, Kind.TEST, (Entry(document(alert), 1, 0, {"time": time, "message": text, "call": ""}),))
