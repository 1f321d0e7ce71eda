"""The session of a container: first without a name, then with all that the API said about its pod."""

from dataclasses import replace
from pathlib import Path

from chaperone.agent.pods.facts import Container, PodFacts
from chaperone.agent.pods.paths import Place
from chaperone.agent.workload.sessions import Session
from chaperone.proto.ids import session_id
from chaperone.proto.records import SessionStarted

SHORT = 12  # characters of a container's id that people tell it by


def unnamed(place: Place, folder: Path, time: int) -> Session:
    """Of a container of which only its cgroup is known. Its id stays: it comes from nothing that the API says."""
    id_ = session_id(f"{place.pod_uid}/{place.container}", time)
    started = SessionStarted(id_, "", time, pod_uid=place.pod_uid, container_id=place.container)
    return Session(id_, folder, started)


def following(before: Session, time: int) -> Session:
    """The one after a session that was cut, with the same names."""
    about = before.started
    id_ = session_id(f"{about.pod_uid}/{about.container_id}", time)
    return replace(before, id=id_, started=replace(about, session=id_, time=time, continues=before.id), notes=())


def session_of(before: Session, pod: PodFacts, container_id: str, apiservers: tuple[str, ...]) -> Session:
    """The same with its names."""
    container = pod.containers.get(container_id) or Container(container_id, "")
    workload = f"{pod.namespace}/{pod.name}/{container.name or container.id[:SHORT]}"
    started = replace(
        before.started,
        workload=workload,
        node=pod.node,
        apiservers=apiservers,
        labels=dict(pod.labels),
        namespace=pod.namespace,
        pod=pod.name,
        container=container.name,
        image=container.image,
        service_account=pod.service_account,
        owner=pod.owner,
        runtime_class=pod.runtime_class,
    )
    return replace(before, started=started)
