"""What a rule that asks for approval wants: whose, of how many people, and how long one is good for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chaperone.collector.nodes import Place
from chaperone.collector.times import SECOND

KEYS = ("approvals", "approvers", "expires", "holdLimit")
MOST = 10
KINDS = ("unix", "user", "group")
APPROVER = re.compile(rf"({'|'.join(KINDS)}):[^\s\x00-\x1f]{{1,250}}")


@dataclass(frozen=True, slots=True)
class Consent:
    """`approvals`: of so many different people, each one of `approvers`: `unix:NAME` is a user of the collector's machine, `user:NAME`
    and `group:NAME` are as the cluster knows them. `expires_ns`: so long may it wait to be given, and then to be used.
    `hold_limit_ns`: so long the client is kept waiting before it is told to come again."""

    approvals: int = 1
    approvers: tuple[str, ...] = ("unix:root",)
    expires_ns: int = 900 * SECOND
    hold_limit_ns: int = 10 * SECOND


def consent(keys: Mapping[str, Place], asks: bool, hold_limit_ns: int) -> Consent | None:
    """What a rule's keys say; None for a rule that does not ask. PolicyError at the first mistake. `hold_limit_ns`: the policy's."""
    stray = [name for name in KEYS if name in keys]
    if not asks:
        if stray:
            raise keys[stray[0]].error("expected do: approve beside it")
        return None
    usual = Consent()
    wanted = keys["approvals"].number(1, MOST) if "approvals" in keys else usual.approvals
    found = _approvers(keys["approvers"]) if "approvers" in keys else usual.approvers
    if wanted > len(found) and all(not one.startswith("group:") for one in found):
        raise keys["approvals"].error(f"expected at most as many as there are approvers, {len(found)}, found {wanted}")
    expires = keys["expires"].duration_ns() if "expires" in keys else usual.expires_ns
    return Consent(wanted, found, expires, keys["holdLimit"].duration_ns() if "holdLimit" in keys else hold_limit_ns)


def _approvers(place: Place) -> tuple[str, ...]:
    entries = place.entries()
    if not entries:
        raise place.error("expected at least one approver, found none")
    for entry in entries:
        if not APPROVER.fullmatch(entry.text()):
            raise entry.error(f"expected unix:NAME, user:NAME or group:NAME, found {entry.text()[:40]!r}")
    return tuple(dict.fromkeys(entry.text() for entry in entries))
