"""What a rule may say, as values."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from chaperone.collector.rules.consent import Consent


class Action(StrEnum):
    """What should happen. Strictest first: deny > approve > kill > mask > alert > allow."""

    DENY = "deny"
    APPROVE = "approve"
    KILL = "kill"
    MASK = "mask"
    ALERT = "alert"
    ALLOW = "allow"


ACTING = (Action.DENY, Action.APPROVE, Action.KILL, Action.MASK)  # what has an effect on the workload


class Ends(StrEnum):
    """What a kill ends."""

    CONNECTION = "connection"
    PROCESS = "process"
    SESSION = "session"


class How(StrEnum):
    """How a request is denied: its client is told, or nothing at all leaves and the connection ends."""

    REFUSE = "refuse"
    DISCONNECT = "disconnect"


class Enforce(StrEnum):
    """How seriously a rule is meant."""

    OBSERVE = "observe"
    WARN = "warn"
    ENFORCE = "enforce"


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Moment(IntEnum):
    """When a rule is judged; in this order for one call."""

    REQUEST = 1
    RESPONSE = 2
    CHANNEL = 3
    END = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where to look: the call or exchange, its stream, at which time, and the words the rule read with their masked values."""

    subject: str
    stream: str
    time: str
    words: tuple[tuple[str, str], ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's word about one event."""

    action: Action
    rule: str
    policy: str
    enforce: Enforce
    severity: Severity
    mitre: tuple[str, ...]
    message: str
    moment: Moment
    evidence: Evidence
    effective: Enforce = Enforce.OBSERVE  # the rule's `enforce` under its policy's `mode`
    consent: Consent | None = None  # whose approval it wants, if it wants any
    ends: Ends = Ends.CONNECTION  # of a kill: what it ends
    how: How = How.REFUSE  # of one that denies
