"""Keeps the certificates of an installation as rotation.py wants them, on a shelf."""

from dataclasses import dataclass
from datetime import datetime

from chaperone.collector.identity.certificates import Pair, Subject
from chaperone.collector.identity.folder import CERTIFICATE, KEY, TRUSTED, Files, Shelf, ShelfError
from chaperone.collector.identity.rotation import Authority, renewed, turned

AUTHORITY = "authority"
NEXT_CERTIFICATE, NEXT_KEY, BEFORE = "next.crt", "next.key", "before.crt"


@dataclass(frozen=True, slots=True)
class Change:
    """A certificate that was made or renewed, or whose trusted authorities changed."""

    name: str


async def keep(shelf: Shelf, subjects: dict[str, Subject], now: datetime) -> list[Change]:
    """Bring the authority and each subject's certificate up to date; what changed. ShelfError."""
    found = await shelf.read(AUTHORITY)
    authority = turned(_authority(found), now)
    changes = await _put(shelf, AUTHORITY, found, _files(authority))
    for name, subject in subjects.items():
        there = await shelf.read(name)
        pair = renewed(_pair(there), subject, authority, now)
        wanted = {CERTIFICATE: pair.certificate, KEY: pair.key, TRUSTED: authority.trusted}
        changes += await _put(shelf, name, there, wanted)
    return changes


async def _put(shelf: Shelf, name: str, found: Files, wanted: Files) -> list[Change]:
    if dict(found) == dict(wanted):
        return []
    await shelf.write(name, wanted)
    return [Change(name)]


def _authority(files: Files) -> Authority | None:
    if not files:
        return None
    if not {CERTIFICATE, KEY} <= files.keys():
        raise ShelfError(f"the authority has no {CERTIFICATE} or no {KEY}: restore them, or remove it whole to begin anew")
    return Authority(_pair(files), Pair(files.get(NEXT_CERTIFICATE, b""), files.get(NEXT_KEY, b"")), files.get(BEFORE, b""))


def _files(authority: Authority) -> Files:
    named = {
        CERTIFICATE: authority.active.certificate,
        KEY: authority.active.key,
        NEXT_CERTIFICATE: authority.next.certificate,
        NEXT_KEY: authority.next.key,
        BEFORE: authority.before,
    }
    return {name: data for name, data in named.items() if data}


def _pair(files: Files) -> Pair:
    return Pair(files.get(CERTIFICATE, b""), files.get(KEY, b""))
