"""The Status in an answer, JSON or protobuf: what the apiserver says went wrong."""

from dataclasses import dataclass

from chaperone.collector.kube.call import Body
from chaperone.collector.kube.protobuf import Message


@dataclass(frozen=True, slots=True)
class Status:
    """metav1.Status, as far as it is needed."""

    reason: str = ""
    message: str = ""


def status_of(body: Body | None) -> Status:
    """The Status that a body is; an empty one for any other body."""
    if body is None or body.kind != "Status":
        return Status()
    if isinstance(body.object, Message):
        return Status(body.object.text(4), body.object.text(3))
    found = body.object if isinstance(body.object, dict) else {}
    reason, message = (found.get(name) for name in ("reason", "message"))
    return Status(reason if isinstance(reason, str) else "", message if isinstance(message, str) else "")
