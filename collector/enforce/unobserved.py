"""The alert that a container which is to be governed is observed by nobody. No event made it: nobody saw any."""

import hashlib
import json
from dataclasses import dataclass

from chaperone.collector.enforce.alert import Acting, Alert, What, Who

RULE, POLICY = "unobserved", "chaperone"


@dataclass(frozen=True, slots=True)
class Unobserved:
    """A container, by its id. `pod`: "namespace/name"."""

    pod: str
    container: str
    id: str
    node: str
    why: str


def alert_of(one: Unobserved, time: str) -> Alert:
    """The same id for the same container and reason."""
    name = f"{one.pod}/{one.container}"
    id_ = hashlib.blake2b(json.dumps([name, one.id, one.why]).encode(), digest_size=16).hexdigest()
    return Alert(
        id=id_,
        time=time,
        severity="high",
        action="alert",
        mode="observe",
        rule=RULE,
        policy=POLICY,
        mitre=(),
        message=f"{name} is to be governed and nobody observes it: {one.why}",
        moment="end",
        what=What("coverage", "", "", ""),
        who=Who("", "", "", name, one.pod, "", one.node),
        process=Acting(None, "", "", ""),
        session="",
        call="",
        evidence=(("why", one.why),),
        unknown=(),
        labels={},
        replay="",
        inspect="chaperone coverage",
    )
