"""Which pods are governed, and how. Pure.

The policies' selectors say it, and the label `chaperone.dev/govern` on a pod or its namespace, which can raise a mode and never
lowers it. Nobody governs kube-system or Chaperone's own namespace: who would let them go again?
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

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
    """Of one policy: pods with these labels, in one of these namespaces, or in namespaces with these labels. What is empty asks nothing."""

    mode: Mode
    namespaces: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """What decides on this node. `own`: Chaperone's namespace."""

    selectors: tuple[Selector, ...] = ()
    own: str = ""

    def mode_of(self, pod: PodFacts, namespace: Mapping[str, str] | None) -> Mode | None:
        """How a pod is governed. None: that hangs on its namespace's labels, which are not known yet."""
        if pod.namespace in (NEVER, self.own):
            return Mode.OFF
        wanted = [one.mode for one in self.selectors if _matches(one, pod, namespace or {})]
        mode = max([*wanted, *_labelled(pod.labels), *_labelled(namespace or {})], default=Mode.OFF)
        return None if namespace is None and mode is not Mode.ENFORCE else mode


def _labelled(labels: Mapping[str, str]) -> list[Mode]:
    return [MODES[labels[GOVERN]]] if labels.get(GOVERN) in MODES else []


def _matches(selector: Selector, pod: PodFacts, namespace: Mapping[str, str]) -> bool:
    is_there = not selector.namespaces or pod.namespace in selector.namespaces
    return is_there and selector.labels.items() <= pod.labels.items() and selector.namespace_labels.items() <= namespace.items()
