"""What nobody maps loses its probes; what somebody maps, was born meanwhile or could not be looked at does not."""

import os
from collections.abc import Callable

import pytest

from chaperone.agent.gate import sweep as module
from chaperone.agent.gate.sweep import LISTS, Sweep
from chaperone.agent.workload.image import Image

FILE = (8, 1)
US, PARENT = os.getpid(), os.getppid()


class FakeFiles:
    """One probed file, which nobody is known to map."""

    def __init__(self) -> None:
        self.waiting = [FILE]
        self.dropped: list[tuple[int, int]] = []

    def disposable(self, moment: float) -> list[tuple[int, int]]:
        return self.waiting

    def drop(self, inode: tuple[int, int]) -> None:
        self.dropped.append(inode)
        self.waiting = []


class FakePrograms:
    """`on_look` is done at each look."""

    def __init__(self) -> None:
        self.failed = 0
        self.looked: list[int] = []
        self.on_look: Callable[[], None] = lambda: None

    def look(self, image: Image, seen: int = 0) -> int:
        self.looked.append(image.pid)
        self.on_look()
        return 1


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(module, "SHARE", 0)


@pytest.fixture
def files() -> FakeFiles:
    return FakeFiles()


@pytest.fixture
def programs() -> FakePrograms:
    return FakePrograms()


def swept(files: FakeFiles, programs: FakePrograms, *lists: set[int]) -> None:
    """Sweep until it has ended. `lists`: the processes at each listing, the last one for all that follow."""
    at = iter(lists)
    latest: set[int] = set()

    def pids() -> set[int]:
        nonlocal latest
        latest = next(at, latest)
        return latest

    sweep = Sweep(files, programs, pids)  # type: ignore[arg-type]
    sweep.step()
    while sweep._began:
        sweep.step()


def test_what_nobody_maps_is_dropped_after_a_look_at_everybody(files: FakeFiles, programs: FakePrograms) -> None:
    swept(files, programs, {US, PARENT})
    assert sorted(programs.looked) == sorted({US, PARENT})
    assert files.dropped == [FILE]


def test_what_a_look_has_seen_is_kept(files: FakeFiles, programs: FakePrograms) -> None:
    programs.on_look = files.waiting.clear
    swept(files, programs, {US})
    assert files.dropped == []


def test_who_is_born_meanwhile_is_looked_at_too(files: FakeFiles, programs: FakePrograms) -> None:
    swept(files, programs, {US}, {US, PARENT})
    assert programs.looked == [US, PARENT]
    assert files.dropped == [FILE]


def test_where_births_do_not_end_nothing_is_dropped(files: FakeFiles, programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(module, "started_ns", lambda pid: next(clock))
    swept(files, programs, {US})
    assert len(programs.looked) == LISTS - 1
    assert files.dropped == []


def test_after_a_look_that_failed_nothing_is_dropped(files: FakeFiles, programs: FakePrograms) -> None:
    def fail() -> None:
        programs.failed += 1

    programs.on_look = fail
    swept(files, programs, {US})
    assert files.dropped == []


def test_where_there_is_nothing_to_drop_nobody_is_looked_at(files: FakeFiles, programs: FakePrograms) -> None:
    files.waiting = []
    swept(files, programs, {US})
    assert programs.looked == []


def test_the_pause_grows_with_what_a_sweep_costs(files: FakeFiles, programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE", 10**9)
    sweep = Sweep(files, programs, lambda: {US})  # type: ignore[arg-type]
    while not files.dropped:
        sweep.step()
    assert sweep.due_s() > 1000
