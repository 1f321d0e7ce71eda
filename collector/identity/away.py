"""Nodes that do not answer, as the pods of a DaemonSet on them show: whoever asks needs no right on nodes.

A kubelet says of a pod without readiness gates that it is ready if and only if its containers are. That it is not, though they are, the
control plane says, of a node of which it hears nothing.

| a pod | its node is away |
| --- | --- |
| is not ready, though its containers are | at once |
| is being deleted | when the time is over in which its kubelet would have ended it |
| is on a node, and no kubelet has taken it | after BEGIN_S |

Source: MarkPodsNotReady of pkg/controller/util/node; pkg/kubelet/status/generate.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

SLACK_S = 10.0  # for a kubelet that lives, and whoever asks
BEGIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Pod:
    """`node`: "" of one that nobody has put on one. `has_begun`: a kubelet has taken it. `is_cut_off`: not ready, while its containers are.
    `grace_s`: of one that is being deleted, what it has for its end."""

    uid: str
    node: str
    is_ready: bool
    has_begun: bool = True
    is_cut_off: bool = False
    grace_s: float | None = None


@dataclass(slots=True)
class Away:
    """`nodes`: those that do not answer, as of the last look."""

    nodes: frozenset[str] = frozenset()
    _since: dict[tuple[str, bool], float] = field(default_factory=dict)  # uid, and whether it is being deleted → when that was seen first

    def look(self, pods: Iterable[Pod], now: float) -> None:
        """At all pods that there are, again and again; `now`: seconds of a clock that goes on."""
        self.nodes = frozenset(pod.node for pod in pods if pod.node and self._is_away(pod, now))

    def _is_away(self, pod: Pod, now: float) -> bool:
        since = self._since.setdefault((pod.uid, pod.grace_s is not None), now)
        if pod.is_cut_off:
            return True
        if pod.grace_s is not None:
            return now - since > pod.grace_s + SLACK_S
        return not pod.has_begun and now - since > BEGIN_S
