"""Which containers are governed, and how. Pure.

The policies' selectors say it, and the label `chaperone.dev/govern` on a pod or its namespace, which can raise a mode and never
lowers it. Nobody governs kube-system or Chaperone's own namespace: who would let them go again?
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase

from chaperone.agent.cluster.messages import GOVERN
from chaperone.agent.pods.facts import PodFacts

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
    that is not known yet fits."""

    mode: Mode
    namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

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
        return is_labelled and all(_fits(fact, patterns) for fact, patterns in facts)


@dataclass(frozen=True, slots=True)
class Selection:
    """What decides on this node. `own`: Chaperone's namespace."""

    selectors: tuple[Selector, ...] = ()
    own: str = ""

    def mode_of(self, pod: PodFacts, namespace: Mapping[str, str] | None, container: str = "") -> Mode | None:
        """How a container (by id) is governed. None: that hangs on its namespace's labels, which are not known yet."""
        if pod.namespace in (NEVER, self.own):
            return Mode.OFF
        wanted = [one.mode for one in self.selectors if one.concerns(pod, container)]
        mode = max([*wanted, *_labelled(pod.labels), *_labelled(namespace or {})], default=Mode.OFF)
        return None if namespace is None and mode is not Mode.ENFORCE else mode


def _labelled(labels: Mapping[str, str]) -> list[Mode]:
    return [MODES[labels[GOVERN]]] if labels.get(GOVERN) in MODES else []


def _fits(fact: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or not fact or any(fnmatchcase(fact, pattern) for pattern in patterns)
