"""A small part of `make soak`; and that it would notice."""

import time
from pathlib import Path
from typing import Any

import pytest
from soak import account as module
from soak.account import Account, account
from soak.clients import Client, now
from soak.node import Life
from soak.run import soak
from support.kernel import skip_without_kernel

from chaperone.agent.deliver.leftovers import DIED
from chaperone.collector.times import rfc3339


@pytest.mark.kernel
def test_where_nothing_dies_every_short_lived_client_is_recorded() -> None:
    skip_without_kernel()
    found, _, done = soak(clients=30, deaths=0, at_once=3, seed=5)
    assert (found.recorded, found.silent, found.faults) == (len(done), [], [])


@pytest.mark.kernel
def test_short_lived_clients_and_a_sudden_death_lose_nothing_in_silence() -> None:
    skip_without_kernel()
    found, node, done = soak(clients=30, deaths=1, at_once=3, seed=3)
    assert (found.silent, found.faults) == ([], [])
    assert found.recorded + found.in_gap + found.unlooked == len(done) == 30
    assert found.recorded > 10
    assert node.deaths == ["both"]


def _said(seconds: float) -> str:
    return rfc3339(int(seconds * 1e9))


class Told:
    """What is stored: two lives of agents, the first killed at 100 s with its last word of 98 s, the second begun at 110 s."""

    store = Path()

    def __init__(self, numbers: list[int], missing: list[str]) -> None:
        self.lives = [Life("a", 0, 100, died=True), Life("b", 110, 200)]
        self.rows = [{"requestURI": f"/version?client={number}", "code": 200} for number in numbers]
        self.missing = {"a": [DIED], "b": missing}

    def ask(self, _store: Path, question: str, session: str, limit: int = 0) -> list[dict[str, Any]]:
        if question == "session.summary":
            return [{"missing": self.missing[session], "ended": "then"}]
        if question == "sessions.show":
            wall = time.time() - now()
            return [{"processes": [{"time": _said(wall + 90)}, {"time": _said(wall + 91), "ended": _said(wall + 98)}]}]
        return self.rows if session == "b" else []


def found(monkeypatch: pytest.MonkeyPatch, numbers: list[int], times: list[tuple[float, float]], missing: list[str]) -> Account:
    told = Told(numbers, missing)
    monkeypatch.setattr(module, "ask", told.ask)
    clients = [Client(number, "curl", None, Path(), *time) for number, time in enumerate(times)]  # type: ignore[arg-type]
    return account(told, clients)  # type: ignore[arg-type]


def test_what_is_neither_recorded_nor_near_a_death_is_silently_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = found(monkeypatch, [0], [(120, 121), (50, 51), (95, 96.5), (96, 97.5), (99, 111), (109, 112), (111, 112)], [])
    assert (seen.recorded, seen.in_gap, seen.silent) == (1, 3, [1, 2, 6])
    assert abs(seen.behind_s - 2) < 0.5


CONNECTS = "kernel: {} connects were over before their thread could be stopped"


def test_what_the_session_of_its_time_counts_as_unlooked_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = found(monkeypatch, [], [(120, 121), (130, 131)], [CONNECTS.format(1)])
    assert (seen.unlooked, seen.silent) == (1, [1])


def test_what_another_session_counts_excuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first agent, which died, nothing was counted; the second counts more than enough, of its own time."""
    seen = found(monkeypatch, [], [(50, 51), (60, 61), (120, 121)], [CONNECTS.format(9)])
    assert (seen.unlooked, seen.silent) == (1, [0, 1])


def test_what_is_recorded_twice_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, [0, 0], [(120, 121)], []).faults == ["client 0 was recorded 2 times"]
