import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from chaperone.collector.identity.caller import AGENTS
from chaperone.collector.identity.certificates import Subject, caller_of, is_signed
from chaperone.collector.identity.folder import ShelfError
from chaperone.collector.identity.keeping import AUTHORITY, Change, keep

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUBJECTS = {"agent": Subject("chaperone-agent", (AGENTS,))}


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, bytes]] = {}

    async def read(self, name: str) -> Mapping[str, bytes]:
        return self.kept.get(name, {})

    async def write(self, name: str, files: Mapping[str, bytes]) -> None:
        self.kept[name] = files

    def keep(self, days: int) -> list[Change]:
        return asyncio.run(keep(self, SUBJECTS, NOW + timedelta(days=days)))


def test_what_is_missing_is_made_and_then_left_alone() -> None:
    shelf = Memory()
    assert shelf.keep(0) == [Change(AUTHORITY), Change("agent")]
    assert shelf.keep(1) == []
    agent = shelf.kept["agent"]
    assert caller_of(agent["tls.crt"]).is_agent
    assert is_signed(agent["tls.crt"], agent["ca.crt"])
    assert set(agent) == {"tls.crt", "tls.key", "ca.crt"}, "the authority's key stays with the authority"


def test_certificates_are_renewed_and_the_next_authority_is_announced_first() -> None:
    shelf = Memory()
    shelf.keep(0)
    assert shelf.keep(16) == [Change("agent")]
    assert shelf.keep(17) == []
    shelf.keep(250)
    first = shelf.kept["agent"]["ca.crt"]
    assert first.count(b"BEGIN CERTIFICATE") == 2
    assert shelf.keep(253) == [Change(AUTHORITY), Change("agent")]


def test_half_an_authority_is_no_reason_to_make_another() -> None:
    shelf = Memory()
    shelf.kept[AUTHORITY] = {"tls.crt": b"x"}
    with pytest.raises(ShelfError, match=r"no tls\.crt or no tls\.key"):
        shelf.keep(0)
