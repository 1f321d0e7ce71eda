"""The containers of this node, from their first process to their last: unknown, then governed or ignored.

| | records |
| --- | --- |
| unknown: the API has not said whose it is | wait in the agent |
| governed | go to the collector, in a session of its own |
| ignored | dropped unseen |

A container is known by its cgroup's path; whoever is met in one for the first time makes it unknown, and nothing it does comes
before that. Its pod decides, which the API knows before the container exists. The container's own name comes a second later, with the
pod's status: until then it waits too, though not for ever once it has something to say. What belongs to no container of a pod is ignored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from chaperone.agent.groups.values import GroupEntered, GroupGone, GroupMade, GroupValue
from chaperone.agent.hold.terms import Terms
from chaperone.agent.pods.areas import Atlas, is_group, populated, top_of
from chaperone.agent.pods.census import Census
from chaperone.agent.pods.facts import PodFacts
from chaperone.agent.pods.paths import Place
from chaperone.agent.pods.select import Mode, Selection, Selector, labels_of
from chaperone.agent.pods.sessions import following, session_of, unnamed
from chaperone.agent.trace.governed import group_id
from chaperone.agent.workload.sessions import Session

SECOND = 1_000_000_000
UNKNOWN_NS = 60 * SECOND  # a pod that an API server in good health does not know by then is none
NAMESPACE_NS = 10 * SECOND
NAME_NS = 15 * SECOND  # that a container with something to say waits for its name
ENFORCED_NAME_NS = SECOND  # its threads wait with it
LINGER_NS = 2 * SECOND  # behind a cgroup's end, for what is under way
LOOK_NS = 10 * SECOND
PAUSE_NS = 15 * 60 * SECOND  # behind so long a pause, or in a session so old, nothing begins
LONGEST_NS = 24 * 3600 * SECOND
PAUSED, LONG = "nothing happened for 15 minutes", "24 hours were over"
GONE_LIMIT = 512
Key = tuple[str, str]  # uid of the pod, id of the container
Group = tuple[int, Path]  # a cgroup: its id, and its folder


class Recorder(Protocol):
    """What is done about workloads: the recording."""

    def meet(self, areas: Iterable[Path]) -> None:
        """Whoever is in these cgroups, now or later."""
        ...

    def settle(self, folder: Path, is_known: bool) -> int:
        """A number for a cgroup that has processes already; 0: it has one. `is_known`: it had one and was ignored."""
        ...

    def owner(self, number: int) -> int:
        """The id of the cgroup that has a number."""
        ...

    def admit(self, number: int, session: Session) -> None:
        """What has this number belongs to this session, which waits or has begun."""
        ...

    def has_spoken(self, session: Session) -> bool:
        """Whether anything but processes waits."""
        ...

    def begin(self, session: Session) -> None:
        """It is governed, and these are its names."""
        ...

    def enforce(self, cgroups: dict[int, Group], terms: Terms) -> None:
        """What these numbers write is held until ordered, from now on."""
        ...

    def record_all(self, session: Session) -> None:
        """What it tells others than the API server is recorded too, from now on."""
        ...

    def keep(self, numbers: Iterable[int], session: Session) -> None:
        """These are held or ended rather than not recorded, from now on."""
        ...

    def ignore(self, cgroups: dict[int, Group], session: Session | None) -> None:
        """These numbers' cgroups are not governed, nor was anything of them ever seen."""
        ...

    def end(self, numbers: Iterable[int], session: Session, has_begun: bool) -> None:
        """It is over. One that has not begun was nobody's."""
        ...

    def cut(self, numbers: Iterable[int], before: Session, after: Session, why: str) -> None:
        """What begins from now on belongs to another session."""
        ...

    def conclude(self, cgroup: Path, last: int) -> None:
        """End what was cut of the sessions of this cgroup and has nothing open any more. `last`: when it was so."""
        ...


@dataclass(slots=True)
class Workload:
    """A container with processes. `cgroups`: by number, those that there were; `alive`: the numbers of those that there are.

    `mode`: None while unknown; `gone`: when its last cgroup was removed; `active`: when it did something last.
    """

    place: Place
    session: Session
    cgroups: dict[int, Group] = field(default_factory=dict)
    alive: set[int] = field(default_factory=set)
    mode: Mode | None = None
    has_begun: bool = False
    gone: int = 0
    active: int = 0

    @property
    def key(self) -> Key:
        """Whose it is."""
        return self.place.pod_uid, self.place.container

    def age(self, now: int) -> int:
        """Since its first process was met, or its session was cut."""
        return now - self.session.started.time

    def why_cut(self, time: int) -> str:
        """Why what begins now belongs to another session; "": it does not."""
        if not self.has_begun:
            return ""
        if self.active and time - self.active >= PAUSE_NS:
            return PAUSED
        return LONG if self.age(time) >= LONGEST_NS else ""


@dataclass(slots=True)
class Workloads:
    """`missed`: unknown ones that were given up, there were too many; `every`: ns between looks at those that wait."""

    recorder: Recorder
    census: Census
    selection: Selection
    atlas: Atlas
    node: str = ""
    missed: int = 0
    every: int = SECOND // 4
    table: dict[Key, Workload] = field(default_factory=dict)
    _numbers: dict[int, Workload] = field(default_factory=dict)
    _ignored: dict[Key, Group] = field(default_factory=dict)
    _strange: set[int] = field(default_factory=set)  # numbers that are no container's
    _seen: int = -1  # the census's changes that were looked at
    _looked: int | None = None
    _evaluated: int = 0
    _is_over: bool = False

    def take(self, value: GroupValue) -> None:
        """What the kernel said about a cgroup."""
        match value:
            case _ if self._is_over:
                return
            case GroupMade(id_, path):
                self.atlas.made(id_, path)
            case GroupEntered(id_, number, time):
                self._entered(number, id_, time)
            case GroupGone(id_, number, time):
                self.atlas.gone(id_)
                self._removed(number, time)

    def knows(self, number: int, time: int) -> bool:
        """Whether a number is one of ours. Of one that nobody told of, the record was lost: the kernel still knows it."""
        if number not in self._numbers and number not in self._strange and not self._is_over:
            if id_ := self.recorder.owner(number):
                self._entered(number, id_, time)
            self._strange |= {number} - self._numbers.keys()
        return number in self._numbers

    def heard(self, number: int, time: int, begins: bool) -> None:
        """A workload does something at this time; `begins`: something new, which in a session that is over begins another."""
        if (workload := self._numbers.get(number)) is None:
            return
        if begins and (why := workload.why_cut(time)):
            before, workload.session = workload.session, following(workload.session, time)
            self.recorder.cut(workload.cgroups, before, workload.session, why)
            self.recorder.conclude(before.cgroup, workload.active)
        workload.active = max(workload.active, time)

    @property
    def has_looked(self) -> bool:
        """Whether it meets whoever is on the node."""
        return self._looked is not None

    def select(self, selectors: tuple[Selector, ...]) -> None:
        """These decide from now on; what was decided may be raised."""
        self.selection = replace(self.selection, selectors=selectors, is_known=True)
        self._seen = -1

    def step(self, now: int) -> None:
        """What time or the API has decided."""
        if self._looked is None or now - self._looked > LOOK_NS:
            self._looked = now
            self._look(now)
        is_news, self._seen = self._seen != self.census.changes, self.census.changes
        if not is_news and now - self._evaluated < self.every:
            return
        self._evaluated = now
        for workload in list(self.table.values()):
            if is_news or not workload.has_begun:
                self._decide(workload, now)
            if workload.gone and now - workload.gone > LINGER_NS and workload.key in self.table:
                self._over(workload)
        if is_news:
            self._raise_ignored(now)
            for number, workload in self._numbers.items():
                self.recorder.admit(number, workload.session)  # the API server may have another address

    def close(self) -> None:
        """The agent ends: what is unknown stays so."""
        for workload in list(self.table.values()):
            if not workload.has_begun:
                self._drop(workload)
        self._is_over = True

    def _look(self, now: int) -> None:
        """New areas and who was there before, or for whom the kernel had no number; cgroups that are gone without a word."""
        for workload in self.table.values():
            self.recorder.conclude(workload.session.cgroup, now)
        self.recorder.meet(self.atlas.look())
        for folder in (folder for area in self.atlas.areas for folder in populated(area)):
            self._settle(folder, now)
        for workload in list(self.table.values()):
            for number in [one for one in workload.alive if not is_group(workload.cgroups[one][1], workload.cgroups[one][0])]:
                self._removed(number, now)

    def _settle(self, folder: Path, now: int, is_known: bool = False) -> None:
        if number := self.recorder.settle(folder, is_known):
            self._admit(number, (group_id(folder), folder), self.atlas.place(folder), now)

    def _entered(self, number: int, id_: int, time: int) -> None:
        self._strange.discard(number)
        place, folder = self.atlas.find(id_) or (None, Path())
        self._admit(number, (id_, folder), place, time)

    def _admit(self, number: int, group: Group, place: Place | None, time: int) -> None:
        if place is None or not place.container:
            self.recorder.ignore({number: group}, None)
            return
        key = place.pod_uid, place.container
        if (workload := self.table.get(key)) is None:
            workload = self.table[key] = Workload(place, unnamed(place, top_of(place, group[1]), time))
        workload.cgroups[number] = group
        workload.alive.add(number)
        workload.gone = 0
        self._numbers[number] = workload
        self.recorder.admit(number, workload.session)
        self._decide(workload, time)

    def _decide(self, workload: Workload, now: int) -> None:
        pod = self.census.pod(workload.place.pod_uid)
        mode = self._mode(pod, workload, now)
        if mode is Mode.OFF and not workload.has_begun:
            self._drop(workload)
        elif pod is not None and mode is not None:
            if mode is Mode.ENFORCE:
                self.recorder.enforce(workload.cgroups, self.selection.terms_of(pod, workload.place.container))
            if mode is Mode.ENFORCE or self.selection.scans(pod, workload.place.container):
                self.recorder.record_all(workload.session)
            if mode and self.selection.is_strict(pod, workload.place.container):
                self.recorder.keep(workload.cgroups, workload.session)
            is_raised = mode > (workload.mode or Mode.OFF)
            workload.mode = max(mode, workload.mode or Mode.OFF)
            if not workload.has_begun and self._is_ready(workload, pod, now):
                self._begin(workload, pod)
            elif workload.has_begun and is_raised:
                workload.session = replace(workload.session, mode=workload.mode.name.lower())
                self._tell(workload)

    def _mode(self, pod: PodFacts | None, workload: Workload, now: int) -> Mode | None:
        if pod is None:
            is_none = self.census.is_complete and not self.census.trouble and workload.age(now) > UNKNOWN_NS
            return Mode.OFF if is_none else None
        labels = self.census.namespaces.get(pod.namespace)
        if labels is None and workload.age(now) > NAMESPACE_NS and self.census.is_complete:
            labels = {}
        return self.selection.mode_of(pod, labels, workload.place.container)

    def _is_ready(self, workload: Workload, pod: PodFacts, now: int) -> bool:
        if workload.place.container in pod.containers:
            return True
        patience = ENFORCED_NAME_NS if workload.mode is Mode.ENFORCE else NAME_NS
        return workload.age(now) > patience and self.recorder.has_spoken(workload.session)

    def _begin(self, workload: Workload, pod: PodFacts) -> None:
        mode = (workload.mode or Mode.RECORD).name.lower()
        named = session_of(workload.session, pod, workload.place.container, self.census.servers.addresses(workload.session.started.time))
        node, labels = pod.node or self.node, labels_of(pod, self.census.namespaces.get(pod.namespace, {}))
        workload.session = replace(named, mode=mode, started=replace(named.started, node=node, labels=labels))
        workload.has_begun = True
        self._tell(workload)
        self.recorder.begin(workload.session)

    def _tell(self, workload: Workload) -> None:
        for number in workload.cgroups:
            self.recorder.admit(number, workload.session)

    def _drop(self, workload: Workload) -> None:
        """Nothing of it stays but its cgroup's name: a label may raise it yet."""
        self._forget(workload)
        self.recorder.ignore(workload.cgroups, workload.session)
        if alive := [workload.cgroups[number] for number in sorted(workload.alive)]:
            self._ignored[workload.key] = alive[0]

    def _raise_ignored(self, now: int) -> None:
        for key, (id_, folder) in list(self._ignored.items()):
            pod = self.census.pod(key[0])
            mode = self.selection.mode_of(pod, self.census.namespaces.get(pod.namespace, {}), key[1]) if pod else Mode.OFF
            if not is_group(folder, id_):
                del self._ignored[key]
            elif mode:
                del self._ignored[key]
                self._settle(folder, now, is_known=True)

    def _removed(self, number: int, time: int) -> None:
        if workload := self._numbers.get(number):
            workload.alive.discard(number)
            workload.gone = 0 if workload.alive else workload.gone or time

    def _over(self, workload: Workload) -> None:
        """One that is unknown may become known: what it said is kept until then, within limits."""
        pod = self.census.pod(workload.place.pod_uid)
        if not workload.has_begun and workload.mode and pod and self.recorder.has_spoken(workload.session):
            self._begin(workload, pod)
        elif not workload.has_begun and workload.mode is None:
            if sum(1 for one in self.table.values() if one.gone and not one.has_begun) <= GONE_LIMIT:
                return
            self.missed += 1
        self.recorder.end(self._forget(workload), workload.session, workload.has_begun)

    def _forget(self, workload: Workload) -> tuple[int, ...]:
        del self.table[workload.key]
        for number in workload.cgroups:
            self._numbers.pop(number, None)
        return tuple(workload.cgroups)
