"""The process that talks to the API server: what comes from there is parsed here, without any privilege.

`python -m chaperone.agent.cluster.watcher NODE`: the agent is at the other end of stdin. It says where the server is and who we are
(agent/cluster/source.py); we tell what becomes of this node's pods, of namespaces, and of the API server's own addresses. We end with it.
"""

import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chaperone.agent.child import word_of
from chaperone.agent.cluster.api import Access
from chaperone.agent.cluster.messages import GOVERN, MESSAGE_LIMIT, Listed, Message, NamespaceTold, PodTold, ServersTold, Trouble, pack
from chaperone.agent.cluster.watch import Key, Kind, Watch
from chaperone.agent.confine import confine
from chaperone.agent.pods.facts import facts_of
from chaperone.agent.pods.servers import of_service, of_slice

ACCESS_LIMIT = 1 << 20
SERVICE = "kubernetes"
LIMITS = {
    resource.RLIMIT_AS: 2 << 30,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}
Teller = Callable[[Key, dict[str, Any] | None], Message]


class Speaker:
    """The agent's end. `access`: what it said last; whoever asks waits for the first word."""

    def __init__(self, agent: socket.socket) -> None:
        self.agent = agent
        self._access: Access | None = None
        self._heard = threading.Condition()

    def hear(self) -> bool:
        """The agent's next word; False at its end."""
        data = word_of(self.agent, ACCESS_LIMIT)
        if not data:
            return False
        with self._heard:
            self._access = Access(**json.loads(data))
            self._heard.notify_all()
        return True

    def access(self) -> Access:
        """Where the server is, and who we are."""
        with self._heard:
            while self._access is None:
                self._heard.wait()
            return self._access

    def say(self, message: Message) -> None:
        """One message; the agent's absence ends us all."""
        data = pack(message)
        try:
            self.agent.send(data if len(data) <= MESSAGE_LIMIT else pack(_shortened(message)))
        except OSError:
            os._exit(0)


def kinds(node: str) -> dict[str, tuple[str, dict[str, str], Teller]]:
    """What is watched: path, query, and how an object is told."""
    service, slices = "/api/v1/namespaces/default/services", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    return {
        "pods": ("/api/v1/pods", {"fieldSelector": f"spec.nodeName={node}"}, _pod),
        "namespaces": ("/api/v1/namespaces", {}, _namespace),
        "services": (service, {"fieldSelector": f"metadata.name={SERVICE}"}, _service),
        "endpointslices": (slices, {"labelSelector": f"kubernetes.io/service-name={SERVICE}"}, _slice),
    }


def watch_of(name: str, kind: tuple[str, dict[str, str], Teller], speaker: Speaker) -> Watch:
    """The watch of one kind."""
    path, query, teller = kind
    told = Kind(
        path,
        query,
        lambda key, item: speaker.say(teller(key, item)),
        lambda: speaker.say(Listed(name)),
        lambda status, why: speaker.say(Trouble(name, status, why)),
    )
    return Watch(told, speaker.access)


def main(arguments: list[str]) -> None:
    """Watch until the agent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confine(LIMITS, keeps_network=True)
    speaker = Speaker(socket.socket(fileno=0))
    for name, kind in kinds(arguments[0]).items():
        threading.Thread(target=watch_of(name, kind, speaker).run, name=name, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))  # threads count as well: not before
    while speaker.hear():
        continue
    os._exit(0)


def _pod(key: Key, item: dict[str, Any] | None) -> Message:
    return PodTold("/".join(key), facts_of(item) if item else None)


def _namespace(key: Key, item: dict[str, Any] | None) -> Message:
    return NamespaceTold(key[1], _labels(item) if item else None)


def _service(key: Key, item: dict[str, Any] | None) -> Message:
    return ServersTold(f"service {key[1]}", of_service(item) if item else ())


def _slice(key: Key, item: dict[str, Any] | None) -> Message:
    return ServersTold(f"slice {key[1]}", of_slice(item) if item else ())


def _labels(item: dict[str, Any]) -> dict[str, str]:
    about = item.get("metadata")
    labels = about.get("labels") if isinstance(about, dict) else None
    return {name: value for name, value in (labels or {}).items() if isinstance(value, str)}


def _shortened(message: Message) -> Message:
    """What decides about a pod fits at all events."""
    if not isinstance(message, PodTold) or message.facts is None:
        return Trouble("messages", 0, "one was too long")
    labels = {name: value for name, value in message.facts.labels.items() if name == GOVERN}
    return PodTold(message.key, replace(message.facts, labels=labels, containers={}))


if __name__ == "__main__":
    main(sys.argv[1:])
