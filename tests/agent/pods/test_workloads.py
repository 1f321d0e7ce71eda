"""Unknown, governed, ignored: against a recorder that only remembers what it was told, and folders for cgroups.

Each test is an order in which things may come; they are many, and share the same few pieces.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

from chaperone.agent.cluster.messages import Listed, NamespaceTold, PodTold, Trouble
from chaperone.agent.groups.values import GroupEntered, GroupGone, GroupMade
from chaperone.agent.hold.terms import Terms
from chaperone.agent.pods.areas import Atlas
from chaperone.agent.pods.census import Census
from chaperone.agent.pods.facts import Container, PodFacts
from chaperone.agent.pods.select import Mode, Selection, Selector
from chaperone.agent.pods.workloads import (
    ENFORCED_NAME_NS,
    GONE_LIMIT,
    LINGER_NS,
    LOOK_NS,
    NAME_NS,
    NAMESPACE_NS,
    UNKNOWN_NS,
    Group,
    Workloads,
)
from chaperone.agent.trace.governed import group_id
from chaperone.agent.workload.sessions import Session

UID, ID = "0a1b2c3d-0000-4000-8000-00000000000a", "c" * 64
RECORD = {"chaperone.dev/govern": "record"}


class RecorderDouble:
    """`said`: what was asked of it, in order; `spoken`: whether they all have something to say."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []
        self.spoken = False
        self.asked = 0  # whether they have
        self.settled = iter(range(100, 200))
        self.owners: dict[int, int] = {}
        self.sessions: dict[int, Session] = {}
        self.enforced: dict[int, Terms] = {}
        self.kept: set[int] = set()
        self.whole: list[str] = []

    def meet(self, areas: Iterable[Path]) -> None:
        self.said += [("meet", area.name) for area in areas]

    def settle(self, folder: Path, is_known: bool) -> int:
        self.said.append(("settle", (folder.name, is_known)))
        return next(self.settled)

    def owner(self, number: int) -> int:
        return self.owners.get(number, 0)

    def admit(self, number: int, session: Session) -> None:
        self.sessions[number] = session

    def has_spoken(self, session: Session) -> bool:
        self.asked += 1
        return self.spoken

    def enforce(self, cgroups: dict[int, Group], terms: Terms) -> None:
        self.enforced |= dict.fromkeys(cgroups, terms)

    def record_all(self, session: Session) -> None:
        self.whole.append(session.id)

    def keep(self, numbers: Iterable[int], session: Session) -> None:
        self.kept |= set(numbers)

    def begin(self, session: Session) -> None:
        self.said.append(("begin", session.started.container))

    def ignore(self, cgroups: dict[int, Group], session: Session | None) -> None:
        self.said.append(("ignore", tuple(cgroups)))

    def end(self, numbers: Iterable[int], session: Session, has_begun: bool) -> None:
        self.said.append(("end", (tuple(numbers), has_begun)))

    def conclude(self, cgroup: Path, last: int) -> None:
        """Nothing was cut (test_succession.py)."""


class Here:
    """A node with one area, of which the API has told everything but pods."""

    def __init__(self, top: Path, selection: Selection) -> None:
        self.recorder, self.census = RecorderDouble(), Census()
        self.area = top / "kubepods"
        self.area.mkdir()
        self.workloads = Workloads(self.recorder, self.census, selection, Atlas(top), every=0)
        self.census.take(Listed("namespaces"), 0)
        self.census.take(NamespaceTold("demo", {}), 0)
        self.workloads.step(0)
        self.recorder.said.clear()

    def container(self, name: str = ID, below: str = "") -> Path:
        path = self.area / f"pod{UID}" / name / below
        path.mkdir(parents=True)
        return path

    def enter(self, number: int, folder: Path, time: int = 10) -> None:
        self.workloads.take(GroupMade(group_id(folder), f"/{folder.relative_to(self.area.parent)}", time))
        self.workloads.take(GroupEntered(group_id(folder), number, time))

    def pod(self, named: bool = True, **labels: str) -> None:
        containers = {ID: Container(ID, "main")} if named else {}
        labels = {name.replace("govern", "chaperone.dev/govern"): value for name, value in labels.items()}
        self.census.take(PodTold("demo/agent", PodFacts((UID,), "demo", "agent", labels=labels, containers=containers)), 5)
        self.census.take(Listed("pods"), 5)


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path, Selection())


def test_an_unknown_one_waits_and_begins_when_its_pod_is_known(here: Here) -> None:
    here.enter(1, here.container())
    here.workloads.step(20)
    assert here.recorder.said == [] and here.recorder.sessions[1].started.container_id == ID
    here.pod(govern="record")
    here.workloads.step(30)
    assert here.recorder.said == [("begin", "main")] and here.recorder.sessions[1].started.pod == "agent"
    here.workloads.step(40)
    assert len(here.recorder.said) == 1


def test_one_of_a_known_pod_begins_at_once(here: Here) -> None:
    here.pod(govern="record")
    here.enter(1, here.container())
    assert here.recorder.said == [("begin", "main")]


def test_its_session_says_what_the_label_of_its_namespace_says(here: Here) -> None:
    here.census.take(NamespaceTold("demo", {"chaperone.dev/govern": "enforce"}), 5)
    here.pod(govern="record")
    here.enter(1, here.container())
    assert here.recorder.sessions[1].started.labels == {"chaperone.dev/govern": "enforce"}


def test_one_that_is_not_selected_is_dropped(here: Here) -> None:
    here.pod()
    here.enter(1, here.container())
    assert here.recorder.said == [("ignore", (1,))] and not here.workloads.table and not here.workloads.knows(1, 0)


@pytest.mark.parametrize("name", ["crio-conmon-" + ID, "strange"])
def test_what_is_no_container_is_ignored(here: Here, name: str) -> None:
    here.pod(govern="record")
    here.enter(1, here.container(name))
    assert here.recorder.said == [("ignore", (1,))]


def test_a_cgroup_that_is_nowhere_is_ignored(here: Here) -> None:
    here.workloads.take(GroupEntered(2**40, 3, 10))
    assert here.recorder.said == [("ignore", (3,))]


def test_cgroups_of_one_container_are_one(here: Here) -> None:
    here.pod(govern="record")
    here.enter(1, here.container())
    here.enter(2, here.container(below="init"))
    assert here.recorder.said == [("begin", "main")]
    assert here.recorder.sessions[2].cgroup == here.area / f"pod{UID}" / ID
    assert here.recorder.sessions[1].id == here.recorder.sessions[2].id


def test_it_ends_a_while_behind_its_last_cgroup(here: Here) -> None:
    here.pod(govern="record")
    first, second = here.container(), here.container(below="init")
    here.enter(1, first)
    here.enter(2, second)
    here.workloads.take(GroupGone(group_id(second), 2, 50))
    here.workloads.step(51 + LINGER_NS)
    assert here.recorder.said == [("begin", "main")]
    here.workloads.take(GroupGone(group_id(first), 1, 60))
    here.workloads.step(60 + LINGER_NS)
    assert len(here.recorder.said) == 1
    here.workloads.step(61 + LINGER_NS)
    assert here.recorder.said[1:] == [("end", ((1, 2), True))] and not here.workloads.table


def test_a_cgroups_id_that_comes_again_is_another_cgroups(here: Here) -> None:
    """Which the kernel does only after 2**31 others, where its ids have 64 bits."""
    here.pod(govern="record")
    for number, folder in ((1, here.container()), (2, here.container("d" * 64))):
        here.workloads.take(GroupMade(7, f"/{folder.relative_to(here.area.parent)}", 10 * number))
        here.workloads.take(GroupEntered(7, number, 10 * number))
        here.workloads.take(GroupGone(7, number, 10 * number + 5))
    first, second = (here.recorder.sessions[number] for number in (1, 2))
    assert (first.started.container_id, second.started.container_id) == (ID, "d" * 64) and first.id != second.id


def test_a_cgroup_that_is_gone_without_a_word_is_found_out(here: Here) -> None:
    here.pod(govern="record")
    folder = here.container()
    here.enter(1, folder)
    folder.rmdir()
    here.workloads.step(LOOK_NS + 20)
    here.workloads.step(LOOK_NS + 21 + LINGER_NS)
    assert here.recorder.said[-1] == ("end", ((1,), True))


def test_a_number_that_nobody_told_of_is_asked_for_once(here: Here) -> None:
    here.pod(govern="record")
    here.recorder.owners[5] = group_id(here.container())
    assert here.workloads.knows(5, 10) and here.recorder.said == [("begin", "main")]
    assert not here.workloads.knows(6, 10)
    here.recorder.owners[6] = group_id(here.container("d" * 64))
    assert not here.workloads.knows(6, 11), "an ignored one's last words"


def test_a_container_without_a_name_waits_while_it_has_nothing_to_say(here: Here) -> None:
    """A pod's sandbox never has: it is no container of the pod."""
    here.pod(named=False, govern="record")
    folder = here.container()
    here.enter(1, folder)
    here.workloads.step(11 + NAME_NS)
    assert here.recorder.said == []
    here.workloads.take(GroupGone(group_id(folder), 1, 12 + NAME_NS))
    here.workloads.step(13 + NAME_NS + LINGER_NS)
    assert here.recorder.said == [("end", ((1,), False))]


@pytest.mark.parametrize(("mode", "patience"), [("record", NAME_NS), ("enforce", ENFORCED_NAME_NS)])
def test_one_with_something_to_say_waits_for_its_name_only_for_a_while(here: Here, mode: str, patience: int) -> None:
    here.pod(named=False, govern=mode)
    here.recorder.spoken = True
    here.enter(1, here.container())
    here.workloads.step(10 + patience)
    assert here.recorder.said == []
    here.workloads.step(11 + patience)
    assert here.recorder.said == [("begin", "")] and here.recorder.sessions[1].mode == mode


def test_one_that_ended_before_its_name_came_still_has_its_say(here: Here) -> None:
    here.pod(named=False, govern="record")
    here.recorder.spoken = True
    folder = here.container()
    here.enter(1, folder)
    here.workloads.take(GroupGone(group_id(folder), 1, 11))
    here.workloads.step(12 + LINGER_NS)
    assert here.recorder.said == [("begin", ""), ("end", ((1,), True))]


def test_a_pod_that_a_healthy_api_server_does_not_know_is_none(here: Here) -> None:
    here.enter(1, here.container())
    here.workloads.step(11 + UNKNOWN_NS)
    assert here.recorder.said == [], "it has not told of any pod"
    here.census.take(Listed("pods"), 0)
    here.census.take(Trouble("pods", 500, "x"), 0)
    here.workloads.step(12 + UNKNOWN_NS)
    assert here.recorder.said == [], "it may be behind"
    here.census.take(Listed("pods"), 0)
    here.workloads.step(13 + UNKNOWN_NS)
    assert here.recorder.said == [("ignore", (1,))]


def test_a_namespace_that_is_not_known_is_waited_for(here: Here) -> None:
    here.census.take(NamespaceTold("demo"), 0)
    here.pod(govern="record")
    here.enter(1, here.container())
    here.workloads.step(10 + NAMESPACE_NS)
    assert here.recorder.said == []
    here.workloads.step(11 + NAMESPACE_NS)
    assert here.recorder.said == [("begin", "main")]


def test_a_mode_is_raised_and_never_lowered(here: Here) -> None:
    here.pod(govern="record")
    here.enter(1, here.container())
    modes = []
    for label in ("enforce", "record", "off"):
        here.pod(govern=label)
        here.workloads.step(20)
        modes.append(here.recorder.sessions[1].mode)
    assert modes == ["enforce"] * 3 and here.recorder.said == [("begin", "main")]


def test_an_ignored_one_is_raised_by_its_label(here: Here) -> None:
    here.pod()
    here.enter(1, here.container())
    here.pod(govern="record")
    here.workloads.step(20)
    assert here.recorder.said == [("ignore", (1,)), ("settle", (ID, True)), ("begin", "main")]
    assert here.recorder.sessions[100].started.time == 20, "what it did before is nobody's"


def test_a_selector_may_ask_for_the_container(tmp_path: Path) -> None:
    here = Here(tmp_path, Selection((Selector(Mode.RECORD, containers=("side*",)),)))
    here.pod(named=False)
    here.enter(1, here.container())
    here.workloads.step(20)
    assert here.recorder.said == []
    here.pod()
    here.workloads.step(30)
    assert here.recorder.said == [("ignore", (1,))]


def test_who_was_there_before_is_settled(tmp_path: Path) -> None:
    folder = tmp_path / "kubepods" / f"pod{UID}" / ID
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").write_text("7\n")
    recorder = RecorderDouble()
    Workloads(recorder, Census(), Selection(), Atlas(tmp_path)).step(0)
    assert recorder.said == [("meet", "kubepods"), ("settle", (ID, False))]
    assert recorder.sessions[100].started.container_id == ID


def test_unknown_ones_that_are_gone_are_kept_within_limits(here: Here) -> None:
    for number in range(GONE_LIMIT + 2):
        folder = here.container(f"{number:064x}")
        here.enter(number + 1, folder)
        here.workloads.take(GroupGone(group_id(folder), number + 1, 11))
    here.workloads.step(12 + LINGER_NS)
    assert here.workloads.missed == 2 and len(here.workloads.table) == GONE_LIMIT


def test_at_the_end_what_is_unknown_is_dropped_and_nothing_begins(here: Here) -> None:
    here.enter(1, here.container())
    here.workloads.close()
    assert here.recorder.said == [("ignore", (1,))]
    here.recorder.owners[2] = group_id(here.container("d" * 64))
    here.enter(2, here.area / f"pod{UID}" / ("d" * 64))
    assert not here.workloads.knows(2, 0) and not here.workloads.table


def test_what_a_policy_may_select_waits_until_it_is_told(tmp_path: Path) -> None:
    here = Here(tmp_path, Selection(is_known=False))
    here.pod()
    here.enter(1, here.container())
    here.workloads.step(20)
    assert here.recorder.said == []
    here.workloads.select((Selector(Mode.RECORD, ("demo",)),))
    here.workloads.step(30)
    here.workloads.select((Selector(Mode.ENFORCE, ("demo",)),))
    here.workloads.step(40)
    assert here.recorder.said == [("begin", "main")] and here.recorder.sessions[1].mode == "enforce"
    here.workloads.select(())
    here.workloads.step(50)
    assert here.recorder.sessions[1].mode == "enforce", "it runs"


def test_a_policy_that_comes_later_raises_who_was_ignored(here: Here) -> None:
    here.pod()
    here.enter(1, here.container())
    here.workloads.step(20)
    here.workloads.select((Selector(Mode.RECORD, ("demo",)),))
    here.workloads.step(30)
    assert here.recorder.said == [("ignore", (1,)), ("settle", (ID, True)), ("begin", "main")]


def test_one_is_enforced_before_its_session_begins_and_with_all_its_cgroups(tmp_path: Path) -> None:
    terms = Terms(denies=True, verdict_timeout=7)
    here = Here(tmp_path, Selection((Selector(Mode.ENFORCE, ("demo",), terms=terms),)))
    here.pod(named=False)
    here.enter(1, here.container())
    assert here.recorder.said == [] and here.recorder.enforced == {1: terms}
    here.enter(2, here.container(below="init"))
    assert set(here.recorder.enforced) == {1, 2}


def test_one_is_recorded_strictly_where_a_policy_says_so(tmp_path: Path) -> None:
    here = Here(tmp_path, Selection((Selector(Mode.RECORD, ("demo",), is_strict=True),)))
    here.pod(named=False)
    here.enter(1, here.container())
    here.enter(2, here.container(below="init"))
    assert here.recorder.kept == {1, 2} and here.recorder.enforced == {}


def test_everything_of_one_is_recorded_where_a_policy_says_so_or_its_calls_are_held(tmp_path: Path) -> None:
    selectors = [(Selector(Mode.RECORD, ("demo",), scans=True), True), (Selector(Mode.ENFORCE, ("demo",)), True)]
    for number, (selector, is_whole) in enumerate([*selectors, (Selector(Mode.RECORD, ("demo",)), False)]):
        (root := tmp_path / str(number)).mkdir()
        here = Here(root, Selection((selector,)))
        here.pod()
        here.enter(1, here.container())
        assert (here.recorder.sessions[1].id in here.recorder.whole) is is_whole


def test_one_that_is_raised_is_enforced_from_then_on(here: Here) -> None:
    here.pod(govern="record")
    here.enter(1, here.container())
    assert here.recorder.enforced == {}
    here.pod(govern="enforce")
    here.workloads.step(20)
    assert here.recorder.enforced == {1: Terms()}


def test_those_that_wait_are_not_looked_at_all_the_time(here: Here) -> None:
    here.workloads.every = 1000
    here.pod(named=False, govern="record")
    here.enter(1, here.container())
    for now in range(20 + NAME_NS, 3020 + NAME_NS, 10):
        here.workloads.step(now)
    assert 2 <= here.recorder.asked <= 4
    here.recorder.spoken = True
    here.workloads.step(5000 + NAME_NS)
    assert here.recorder.said == [("begin", "")]


def test_one_for_whom_the_kernel_had_no_number_is_settled_later(here: Here) -> None:
    here.pod(govern="record")
    folder = here.container()
    (folder / "cgroup.procs").write_text("7\n")
    here.workloads.step(LOOK_NS)
    assert here.recorder.said == []
    here.workloads.step(LOOK_NS + 1)
    assert here.recorder.said == [("settle", (ID, False)), ("begin", "main")]
