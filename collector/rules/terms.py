"""What a policy says besides its rules: how a workload is governed, and what happens when nobody can decide."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from chaperone.collector.nodes import Place
from chaperone.collector.rules.verdict import Enforce
from chaperone.collector.times import SECOND

KEYS = ("mode", "onFailure", "verdictTimeout", "holdLimit", "uncovered", "unreadable", "record", "bodies", "egress")


class Mode(StrEnum):
    """What a policy's rules may do. `off`: they are not asked."""

    OFF = "off"
    RECORD = "record"
    ENFORCE = "enforce"


class ModeName(StrEnum):
    """As a policy says it. `follow`: enforce on workloads on which a rule of another policy acts, or whose label says so; else record."""

    OFF = "off"
    RECORD = "record"
    FOLLOW = "follow"
    ENFORCE = "enforce"


class OnFailure(StrEnum):
    """What becomes of a held request that nobody decides, and of what can't be read."""

    ALLOW = "allow"
    DENY = "deny"


class Uncovered(StrEnum):
    """What becomes of TLS that no probe can read."""

    ALLOW = "allow"
    ALERT = "alert"
    DENY = "deny"


class Keeping(StrEnum):
    """Whether work may go on that can't be recorded."""

    STRICT = "strict"
    BEST_EFFORT = "best_effort"


class Bodies(StrEnum):
    """What is kept of bodies."""

    MASKED = "masked"
    METADATA = "metadata"
    NONE = "none"


class Scan(StrEnum):
    """Whether other connections' plaintext is searched for secrets."""

    OFF = "off"
    ON = "on"


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one policy. Without `mode`, each rule's own `enforce` decides. `follows`: the mode is that of the workload, and so is all else."""

    mode: Mode = Mode.ENFORCE
    on_failure: OnFailure = OnFailure.ALLOW
    verdict_timeout_ns: int = 2 * SECOND
    hold_limit_ns: int = 10 * SECOND
    uncovered: Uncovered = Uncovered.ALERT
    unreadable: OnFailure = OnFailure.DENY
    record: Keeping = Keeping.BEST_EFFORT
    bodies: Bodies = Bodies.MASKED
    egress_scan: Scan = Scan.OFF
    follows: bool = False


DEFAULT = Terms()


_STRICTER: dict[str, tuple[StrEnum, ...]] = {
    "mode": (Mode.OFF, Mode.RECORD, Mode.ENFORCE),
    "on_failure": (OnFailure.ALLOW, OnFailure.DENY),
    "uncovered": (Uncovered.ALLOW, Uncovered.ALERT, Uncovered.DENY),
    "unreadable": (OnFailure.ALLOW, OnFailure.DENY),
    "record": (Keeping.BEST_EFFORT, Keeping.STRICT),
    "bodies": (Bodies.MASKED, Bodies.METADATA, Bodies.NONE),
    "egress_scan": (Scan.OFF, Scan.ON),
}


def strictest(several: Iterable[Terms]) -> Terms:
    """How a workload is governed that several policies concern: of each key the strictest; of times the shortest. Those that follow
    others have no say."""
    every = list(several) or [DEFAULT]
    known = [one for one in every if not one.follows] or every
    return Terms(**{name: _strictest(name, [getattr(one, name) for one in known]) for name in (field.name for field in fields(Terms))})


def _strictest(name: str, values: list[Any]) -> Any:
    return max(values, key=_STRICTER[name].index) if name in _STRICTER else min(values)


def terms(keys: Mapping[str, Place]) -> Terms:
    """The terms among a policy's keys. PolicyError at the first mistake."""
    egress = keys["egress"].mapping(("scan",), ("scan",)) if "egress" in keys else {}
    said = keys["mode"].choice(ModeName) if "mode" in keys else ModeName.ENFORCE
    if said is ModeName.FOLLOW:
        return _following(keys)
    return Terms(
        mode=Mode(said),
        on_failure=keys["onFailure"].choice(OnFailure) if "onFailure" in keys else DEFAULT.on_failure,
        verdict_timeout_ns=keys["verdictTimeout"].duration_ns() if "verdictTimeout" in keys else DEFAULT.verdict_timeout_ns,
        hold_limit_ns=keys["holdLimit"].duration_ns() if "holdLimit" in keys else DEFAULT.hold_limit_ns,
        uncovered=keys["uncovered"].choice(Uncovered) if "uncovered" in keys else DEFAULT.uncovered,
        unreadable=keys["unreadable"].choice(OnFailure) if "unreadable" in keys else DEFAULT.unreadable,
        record=keys["record"].choice(Keeping) if "record" in keys else DEFAULT.record,
        bodies=keys["bodies"].choice(Bodies) if "bodies" in keys else DEFAULT.bodies,
        egress_scan=egress["scan"].choice(Scan) if "scan" in egress else DEFAULT.egress_scan,
    )


def _following(keys: Mapping[str, Place]) -> Terms:
    if stray := [name for name in KEYS if name in keys and name != "mode"]:
        raise keys[stray[0]].error("expected none beside mode: follow, which goes by what other policies say")
    return Terms(Mode.RECORD, follows=True)


def effective(mode: Mode, enforce: Enforce) -> Enforce:
    """A rule acts only if policy and rule both enforce."""
    return Enforce.OBSERVE if enforce is Enforce.ENFORCE and mode is not Mode.ENFORCE else enforce
