"""Which certificates there should be: an authority and what it issues, each replaced in good time. Pure: a clock's value comes in.

An authority is replaced in two steps, so that nobody is ever shown a certificate that they don't trust yet: the next one is trusted
everywhere for SPREAD before it signs, and the one before is trusted until it expires.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chaperone.collector.identity.certificates import Pair, Subject, Validity, is_for, is_named, is_signed, issue, new_authority, remaining

AUTHORITY_LIFE = timedelta(days=365)
LIFE = timedelta(days=30)
SPREAD = timedelta(days=2)  # a mounted Secret is renewed within minutes; a node may be away for a day
NONE = Pair(b"", b"")


@dataclass(frozen=True, slots=True)
class Authority:
    """`active` signs; `next` is trusted already; `before` (a certificate) is trusted still."""

    active: Pair
    next: Pair = NONE
    before: bytes = b""

    @property
    def trusted(self) -> bytes:
        """What others should trust: PEM certificates, one after another."""
        return self.active.certificate + self.next.certificate + self.before


def turned(found: Authority | None, now: datetime) -> Authority:
    """The authority as it should be now."""
    if found is None or _left(found.active, now) <= timedelta(0):
        return Authority(new_authority(Validity(now, AUTHORITY_LIFE)))
    if found.before and remaining(found.before, now) <= timedelta(0):
        found = replace(found, before=b"")
    if found.next == NONE:
        return replace(found, next=new_authority(Validity(now, AUTHORITY_LIFE))) if _left(found.active, now) < AUTHORITY_LIFE / 3 else found
    if AUTHORITY_LIFE - _left(found.next, now) < SPREAD:
        return found
    return Authority(found.next, before=found.active.certificate)


def renewed(found: Pair, subject: Subject, authority: Authority, now: datetime) -> Pair:
    """A subject's certificate: the one that was found unless half of its life is over, another authority signs now, or the subject or a
    host is new."""
    is_young = found != NONE and _left(found, now) > LIFE / 2
    is_right = is_young and is_named(found.certificate, subject) and is_for(found.certificate, subject.hosts)
    if is_right and is_signed(found.certificate, authority.active.certificate):
        return found
    return issue(authority.active, subject, Validity(now, LIFE))


def _left(pair: Pair, now: datetime) -> timedelta:
    return remaining(pair.certificate, now)
