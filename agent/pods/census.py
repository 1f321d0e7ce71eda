"""The pods of this node, the cluster's namespaces and the API server's addresses, as far as they were told. No clock of its own.

What was known stays known while nobody answers. A pod that is gone is remembered for a while: its last events are read behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaperone.agent.cluster.messages import Listed, Message, NamespaceTold, PodTold, ServersTold, Trouble
from chaperone.agent.pods.facts import PodFacts
from chaperone.agent.pods.servers import Servers

GONE_NS = 600_000_000_000
GONE_LIMIT = 2048


@dataclass(slots=True)
class Census:
    """`listed`: the kinds that were told whole; `trouble`: why one is not heard now, by kind; `changes`: how often it became another."""

    servers: Servers = field(default_factory=Servers)
    listed: set[str] = field(default_factory=set)
    trouble: dict[str, str] = field(default_factory=dict)
    changes: int = 0
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _pods: dict[str, PodFacts] = field(default_factory=dict)  # by namespace/name
    _uids: dict[str, PodFacts] = field(default_factory=dict)
    _gone: dict[str, tuple[int, PodFacts]] = field(default_factory=dict)
    _stale: set[str] = field(default_factory=set)  # pods that were told before a new beginning, and not since

    def take(self, message: Message, now: int) -> None:
        """What was told, at a boot time."""
        self.changes += 1
        match message:
            case PodTold(key, facts):
                self._pod(key, facts, now)
            case NamespaceTold(name, None):
                self.namespaces.pop(name, None)
            case NamespaceTold(name, labels) if labels is not None:
                self.namespaces[name] = labels
            case ServersTold(by, addresses):
                self.servers.named(by, addresses, now)
            case Listed(kind):
                self._complete(kind, now)
            case Trouble(kind, _, why):
                self.trouble[kind] = why

    def begin_again(self) -> None:
        """Everything will be told anew; what is not is gone."""
        self._stale = set(self._pods)

    @property
    def is_complete(self) -> bool:
        """Whether a pod that is not known is none that was there at the last word."""
        return {"pods", "namespaces"} <= self.listed

    def pods(self) -> tuple[PodFacts, ...]:
        """Those that are there."""
        return tuple(self._pods.values())

    def pod(self, uid: str) -> PodFacts | None:
        """By any of its uids; one that is gone too, for a while."""
        found = self._uids.get(uid)
        return found or (self._gone[uid][1] if uid in self._gone else None)

    def _pod(self, key: str, facts: PodFacts | None, now: int) -> None:
        before = self._pods.pop(key, None)
        self._stale.discard(key)
        for uid in before.uids if before else ():
            self._uids.pop(uid, None)
        if facts is not None:
            self._pods[key] = facts
            self._uids.update(dict.fromkeys(facts.uids, facts))
        if before and (facts is None or facts.uids != before.uids):
            self._went(before, now)

    def _went(self, facts: PodFacts, now: int) -> None:
        self._gone = {uid: found for uid, found in self._gone.items() if now - found[0] < GONE_NS}
        while len(self._gone) >= GONE_LIMIT:
            del self._gone[next(iter(self._gone))]
        self._gone.update(dict.fromkeys(facts.uids, (now, facts)))

    def _complete(self, kind: str, now: int) -> None:
        self.trouble.pop(kind, None)
        self.listed.add(kind)
        stale = tuple(self._stale) if kind == "pods" else ()
        for key in stale:
            self._pod(key, None, now)
