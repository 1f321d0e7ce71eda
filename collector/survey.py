"""What is covered now: asked for by people (`chaperone coverage`), and looked at every minute for alerts, metrics and the log."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from chaperone.collector.enforce.alert import Alert
from chaperone.collector.enforce.unobserved import Unobserved, alert_of
from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import UnansweredError
from chaperone.collector.lookup.cluster import cluster
from chaperone.collector.lookup.coverage import Observed, Running, coverage
from chaperone.collector.rules.document import Policy
from chaperone.collector.serve.metrics import Family, Kind, Sample

LOOK_S = 60.0
NOBODY_ASKED = "this collector asks no API (--lookup), so that nobody knows which pods there are"
Ask = Callable[[str, str], Awaitable[list[dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Those whose agents call a collector. `missing`: a sentence about each collector that did not say whose call it; `is_ours`: we are
    the one collector that tells of what nobody observes."""

    names: frozenset[str]
    missing: tuple[str, ...] = ()
    is_ours: bool = True


@dataclass(frozen=True, slots=True)
class Sources:
    """Who knows what: the store, the agents that call, the policies in force, the API. `own`: Chaperone's namespace."""

    ask: Ask
    nodes: Callable[[], Awaitable[Nodes]]
    policies: Callable[[], Iterable[Policy]]
    access: Access | None = None
    own: str = ""


@dataclass(slots=True)
class Survey:
    """`tell` is given an alert for each container that nobody observes; `gaps`: how many there are now, by reason. One is told of at the
    second look: agents are replaced within less than a minute, and call a collector that has just begun within seconds."""

    sources: Sources
    tell: Callable[[Alert, str], Awaitable[None]]
    log: Callable[[str], None]
    gaps: Counter[str] = field(default_factory=Counter)
    selected: int = 0
    _seen: set[Running] = field(default_factory=set)  # at the last look
    _told: set[Running] = field(default_factory=set)
    _problem: str = ""
    _missing: tuple[str, ...] = ()

    async def answer(self) -> list[dict[str, Any]]:
        """One row: {selected, observed, unobserved, unread, nodes, missing, problem}."""
        nodes = await self.sources.nodes()
        found, problem = await self._look(nodes)
        missing = [asdict(one) for one in found if one.why]
        unread = await self.sources.ask("unread.list", "{}")
        counts = {"selected": len(found), "observed": len(found) - len(missing)}
        known = {"nodes": sorted(nodes.names), "missing": list(nodes.missing), "problem": problem}
        return [{**counts, "unobserved": missing, "unread": unread, **known}]

    async def watch(self) -> None:
        """Until cancelled, where there is an API to ask."""
        while self.sources.access is not None:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Once: what has been missing since the last time is alerted, once."""
        nodes = await self.sources.nodes()
        found, problem = await self._look(nodes)
        if nodes.missing != self._missing:
            self._missing = nodes.missing
            self.log("; ".join(nodes.missing) or "all collectors answer again")
        if problem != self._problem:
            self._problem = problem
            self.log(f"coverage is not known: {problem}" if problem else "coverage is known again")
        if not problem:
            await self._note(found, nodes.is_ours)

    async def _note(self, found: list[Running], is_ours: bool) -> None:
        missing = {one for one in found if one.why}
        self.selected, self.gaps = len(found), Counter(one.why for one in missing)
        lasting = missing & self._seen
        for one in sorted(lasting - self._told if is_ours else (), key=lambda one: (one.namespace, one.pod, one.container)):
            about = Unobserved(f"{one.namespace}/{one.pod}", one.container, one.id, one.node, one.why)
            alert = alert_of(about, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
            self.log(alert.message)
            await self.tell(alert, f"unobserved {one.why}")
        self._seen, self._told = missing, lasting

    async def _look(self, nodes: Nodes) -> tuple[list[Running], str]:
        if self.sources.access is None:
            return [], NOBODY_ASKED
        try:
            there = await asyncio.to_thread(cluster, self.sources.access)
        except UnansweredError as error:
            return [], str(error)
        rows = await self.sources.ask("containers.open", "{}")
        seen = Observed(nodes.names, frozenset(row["container"] for row in rows), time.time())
        return coverage(there, self.sources.policies(), seen, self.sources.own), ""

    def families(self) -> Iterator[Family]:
        """As metrics."""
        return coverage_families(self.selected, self.gaps)


def coverage_families(selected: int, gaps: Mapping[str, int]) -> Iterator[Family]:
    """How many containers are to be governed, and of these, how many nobody observes, by reason."""
    samples = tuple(Sample((why,), count) for why, count in sorted(gaps.items()))
    yield Family("unobserved_containers", "Containers that are to be governed and that nobody observes.", Kind.GAUGE, ("why",), samples)
    yield Family("selected_containers", "Containers that are to be governed.", Kind.GAUGE, (), (Sample((), selected),))
