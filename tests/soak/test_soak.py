"""A small part of `make soak`; and that it would notice."""

from pathlib import Path
from typing import Any

import pytest
from soak import account as module
from soak.account import Account, account
from soak.clients import Client
from soak.node import Life
from soak.run import soak
from support.kernel import skip_without_kernel

from chaperone.agent.deliver.leftovers import DIED


@pytest.mark.kernel
def test_short_lived_clients_and_a_sudden_death_lose_nothing_in_silence() -> None:
    skip_without_kernel()
    found, node, done = soak(clients=30, deaths=1, at_once=3, seed=3)
    assert (found.silent, found.faults) == ([], [])
    assert found.recorded + found.in_gap + found.unlooked == len(done) == 30
    assert found.recorded > 10
    assert node.deaths == ["both"]


class Told:
    """What is stored: two lives of agents, the first killed at 100 s, the second begun at 110 s."""

    store = Path()

    def __init__(self, numbers: list[int], missing: list[str]) -> None:
        self.lives = [Life("a", 0, 100, died=True), Life("b", 110, 200)]
        self.rows = [{"requestURI": f"/version?client={number}", "code": 200} for number in numbers]
        self.missing = {"a": [DIED], "b": missing}

    def ask(self, _store: Path, question: str, session: str, limit: int = 0) -> list[dict[str, Any]]:
        if question == "session.summary":
            return [{"missing": self.missing[session], "ended": "then"}]
        return self.rows if session == "b" else []


def found(monkeypatch: pytest.MonkeyPatch, numbers: list[int], times: list[tuple[float, float]], missing: list[str]) -> Account:
    told = Told(numbers, missing)
    monkeypatch.setattr(module, "ask", told.ask)
    clients = [Client(number, "curl", None, Path(), *time) for number, time in enumerate(times)]  # type: ignore[arg-type]
    return account(told, clients)  # type: ignore[arg-type]


def test_what_is_neither_recorded_nor_near_a_death_is_silently_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = found(monkeypatch, [0], [(120, 121), (50, 51), (97, 99), (99, 111), (109, 112), (111, 112)], [])
    assert (seen.recorded, seen.in_gap, seen.silent) == (1, 3, [1, 5])


def test_what_a_session_counts_as_unlooked_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = found(monkeypatch, [], [(120, 121), (130, 131)], ["kernel: 1 connects were over before their thread could be stopped"])
    assert (seen.unlooked, seen.silent) == (1, [0])


def test_what_is_recorded_twice_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, [0, 0], [(120, 121)], []).faults == ["client 0 was recorded 2 times"]
