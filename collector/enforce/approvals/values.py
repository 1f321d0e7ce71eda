"""People, votes, and what is asked of them, as values of masked texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.enforce.alert import Alert
from chaperone.collector.enforce.approvals.state import State


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides, as their connection has shown. `name`: `unix:NAME` or `user:NAME`; `how`: by what, for the record."""

    name: str
    groups: frozenset[str] = frozenset()
    how: str = ""


@dataclass(frozen=True, slots=True)
class Vote:
    """`time`: wall-clock ns. `why`: in their words, masked."""

    person: Person
    approves: bool
    time: int
    why: str


@dataclass(frozen=True, slots=True)
class Need:
    """What one rule wants: `approvals` of different people among `approvers` (rules/consent.py)."""

    rule: str
    policy: str
    approvals: int
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """One request that waits. `binding`: digest of it; `requester`: whose it is, beyond one session; `identities`: who it is made
    as, none of whom may decide. `alert`: what people are told; `sent`: the call's document, kept only until they are. Spans in ns."""

    binding: str
    requester: str
    needs: tuple[Need, ...]
    identities: frozenset[str]
    session: str
    stream: str
    call: str
    hold_ns: int
    expires_ns: int
    alert: Alert = field(repr=False, compare=False)
    sent: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Approval:
    """`asking`: the first that asked. `until`: as it is now, it ends then (wall-clock ns). `version`: 1, 2, 3 …; `used`: the call that
    passed; `told`: a client was told to come again. `history`: (state, when, who or what did it, why)."""

    id: str
    asking: Asking
    state: State
    asked: int
    until: int
    version: int = 1
    votes: tuple[Vote, ...] = ()
    used: str = ""
    told: bool = False
    history: tuple[tuple[State, int, str, str], ...] = ()
