"""The agent's parts on a node: a kubelet's cgroups, an API server that knows pods, and what is recorded."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import zstandard
from support.kubelet import Kubelet
from support.pod_api import PodApi, namespace, pod

from chaperone.agent.cluster.source import Where
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.pods.node import Here, Node
from chaperone.agent.pods.select import Selection
from chaperone.agent.recording import Recording
from chaperone.agent.settings import PodSettings, SessionOptions, Settings
from chaperone.agent.trace.tracer import Tracer
from chaperone.proto.records import Record, SessionEnded, SessionStarted, unpack

PODS, NAMESPACES = "/api/v1/pods", "/api/v1/namespaces"
RECORD = {"chaperone.dev/govern": "record"}
Kind = TypeVar("Kind")


def statuses(*containers: tuple[str, str], of: str = "containerStatuses") -> dict[str, Any]:
    """The status of a pod with these containers, as name and id."""
    return {of: [{"name": name, "containerID": f"containerd://{id_}", "image": f"image-of-{name}"} for name, id_ in containers]}


class LiveNode:
    """`records`: all that left the agent so far."""

    def __init__(self, tracer: Tracer, api: PodApi, kubelet: Kubelet, selection: Selection) -> None:
        self.api, self.kubelet, self.tracer = api, kubelet, tracer
        self.outbox = Outbox(Limits(memory=256 << 20))
        pods = PodSettings(("127.0.0.1", api.port), api.directory, kubelet.root)
        self.recording = Recording(tracer, self.outbox, Settings((), (), "", SessionOptions(), node="n1", pods=pods))
        where = Where("127.0.0.1", api.port, "n1", api.directory)
        self.node = Node(self.recording, where, selection, Here(kubelet.root, ("extra.example:6443",)))
        self.recording.pods = self.node
        self._read = 0
        self.records: list[Record] = []

    def until(self, is_so: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, self.records
            self.step()

    def step(self) -> None:
        self.recording.step()
        while batch := self.outbox.after(self._read, 0):
            self._read = batch.number
            self.records += unpack(zstandard.ZstdDecompressor().decompress(batch.records))

    def ready(self) -> None:
        """Until it meets whoever is in the kubelet's cgroups."""
        self.until(lambda: self.node.workloads.atlas.areas)

    def serve(self, port: int) -> None:
        """Let this port here be the cluster's API server, an endpoint of the Service `kubernetes`."""
        about, endpoints = {"namespace": "default", "name": "kubernetes"}, [{"addresses": ["127.0.0.1"]}]
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        self.api.put(slices, {"metadata": about, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": port}]})
        self.until(lambda: len(self.node.census.servers.addresses(0)) == 2)

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [record for record in self.records if isinstance(record, kind)]

    def sessions(self) -> list[SessionStarted]:
        return self.of(SessionStarted)

    def ended(self, name: str) -> list[SessionEnded]:
        """The ends of sessions of pods of this name."""
        ids = {session.session for session in self.sessions() if session.pod == name}
        return [ended for ended in self.of(SessionEnded) if ended.session in ids]

    def put(self, name: str, uid: str, **more: Any) -> None:
        self.api.put(PODS, pod(name, uid, spec={"nodeName": "n1", **more.pop("spec", {})}, **more))


@contextmanager
def live_node(tracer: Tracer, api: PodApi, kubelet: Kubelet, selection: Selection | None = None) -> Iterator[LiveNode]:
    """At its end nothing of it is in the tracer."""
    if not api.lists(NAMESPACES):
        api.put(NAMESPACES, namespace("demo"))
    made = LiveNode(tracer, api, kubelet, selection or Selection())
    try:
        yield made
    finally:
        made.recording.enforcement.close()  # or its guardian takes the silence for our death
        made.recording.gate.close()
        made.node.close()
        for number in [*made.recording.sessions, *[key for key in tracer.tops if key < 0]]:
            tracer.release(number)
