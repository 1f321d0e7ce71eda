"""Which containers are governed, and how. Pure.

The policies' selectors say it, and the label `chaperone.dev/govern` on a pod or its namespace, which can raise a mode and never
lowers it. Nobody governs kube-system or Chaperone's own namespace: who would let them go again?
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase

from chaperone.agent.cluster.messages import GOVERN
from chaperone.agent.hold.terms import DEFAULT, Terms, in_words
from chaperone.agent.pods.facts import PodFacts
from chaperone.proto import capture_pb2 as wire

NEVER = "kube-system"


class Mode(IntEnum):
    """What is done about a workload: the greater one wins."""

    OFF = 0
    RECORD = 1
    ENFORCE = 2


MODES = {mode.name.lower(): mode for mode in Mode}


@dataclass(frozen=True, slots=True)
class Selector:
    """Of one policy, as in collector/rules/selector.py: all that is asked must fit, by one pattern with * each. A container's name
    that is not known yet fits. `only_raises`: who is governed by nothing else is not by this."""

    mode: Mode
    namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    only_raises: bool = False
    terms: Terms = DEFAULT
    scans: bool = False  # what goes to others than the API server is recorded too
    is_strict: bool = False  # who is recorded at all is held or ended rather than not recorded
    owners: frozenset[str] = frozenset()  # as in capture.proto

    def concerns(self, pod: PodFacts, container: str) -> bool:
        """Does it fit?"""
        known = pod.containers.get(container)
        account = f"{pod.namespace}:{pod.service_account}" if pod.service_account else ""
        facts = (
            (pod.namespace, self.namespaces),
            (account, self.service_accounts),
            (known.name if known else "", self.containers),
            (pod.node, self.nodes),
        )
        is_labelled = all(name in pod.labels and fnmatchcase(pod.labels[name], pattern) for name, pattern in self.labels.items())
        is_owned = not self.owners or not self.owners.isdisjoint(_owners(pod))
        return is_labelled and is_owned and all(_fits(fact, patterns) for fact, patterns in facts)


@dataclass(frozen=True, slots=True)
class Selection:
    """What decides on this node. `own`: Chaperone's namespace; `is_known`: the collector has said which its selectors are."""

    selectors: tuple[Selector, ...] = ()
    own: str = ""
    is_known: bool = True

    def mode_of(self, pod: PodFacts, namespace: Mapping[str, str] | None, container: str = "") -> Mode | None:
        """How a container (by id) is governed. None: that hangs on what is not known yet."""
        if pod.namespace in (NEVER, self.own):
            return Mode.OFF
        concern = [one for one in self.selectors if one.concerns(pod, container)]
        wanted = [*(one.mode for one in concern if not one.only_raises), *_labelled(pod.labels), *_labelled(namespace or {})]
        raised = max(wanted, default=Mode.OFF) and max(one for one in (*wanted, *(selector.mode for selector in concern)))
        if namespace is None or not self.is_known:
            return raised if raised is Mode.ENFORCE or (raised and namespace is not None) else None
        return Mode(raised)

    def scans(self, pod: PodFacts, container: str = "") -> bool:
        """Whether everything of it is recorded."""
        return any(one.scans and one.concerns(pod, container) for one in self.selectors)

    def is_strict(self, pod: PodFacts, container: str = "") -> bool:
        """Whether it is held or ended rather than not recorded."""
        return any(one.is_strict and one.concerns(pod, container) for one in self.selectors)

    def terms_of(self, pod: PodFacts, container: str = "") -> Terms:
        """On which terms it is enforced: each at its strictest."""
        several = [one.terms for one in self.selectors if one.mode is Mode.ENFORCE and one.concerns(pod, container)]
        if not several:
            return Terms()
        shortest = min(one.verdict_timeout for one in several), min(one.hold_limit for one in several)
        return Terms(any(one.denies for one in several), *shortest, covers=any(one.covers for one in several))


def labels_of(pod: PodFacts, namespace: Mapping[str, str]) -> dict[str, str]:
    """A pod's, with the one that governs at its strictest: as the pod's or as its namespace's. The collector knows of no other."""
    said = [labels[GOVERN] for labels in (pod.labels, namespace) if labels.get(GOVERN) in MODES]
    return dict(pod.labels) | ({GOVERN: max(said, key=MODES.__getitem__)} if said else {})


def _labelled(labels: Mapping[str, str]) -> list[Mode]:
    return [MODES[labels[GOVERN]]] if labels.get(GOVERN) in MODES else []


def _owners(pod: PodFacts) -> tuple[str, ...]:
    """All by which its maker may be named."""
    maker, _, _ = pod.owner.rpartition("-")
    return pod.owner, f"{maker}-", f"Pod/{pod.name}"


def _fits(fact: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or not fact or any(fnmatchcase(fact, pattern) for pattern in patterns)


def selectors_of(said: wire.Selection) -> tuple[Selector, ...]:
    """Those that a collector names; of a mode that we do not know: none."""
    return tuple(_selector(one) for one in (*said.selectors, *said.heirs) if one.mode in MODES)


def _selector(said: wire.PodSelector) -> Selector:
    names = {"service_accounts": said.service_accounts, "containers": said.containers, "nodes": said.nodes, "namespaces": said.namespaces}
    patterns = {name: tuple(found) for name, found in names.items()}
    terms = in_words(said.on_failure, said.uncovered, _ns(said.verdict_timeout_s), _ns(said.hold_limit_s))
    mode, labels, is_strict = MODES[said.mode], dict(said.labels), said.record == "strict"
    owners, scans = frozenset(said.owners), said.scan == "on"
    return Selector(
        mode, labels=labels, only_raises=said.only_raises, terms=terms, is_strict=is_strict, scans=scans, owners=owners, **patterns
    )


def _ns(seconds: str) -> int:
    try:
        return int(float(seconds) * 1e9)
    except (ValueError, OverflowError):
        return 0
