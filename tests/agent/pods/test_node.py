"""Live: real processes in a kubelet's cgroups, real clients, an API server double over TLS that knows their pods."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.judging import judged_pipeline
from support.kubelet import CGROUPFS, CONTAINERD, CRIO, SYSTEMD, container_id, kubelet
from support.live_node import RECORD, LiveNode, live_node, statuses
from support.pod_api import PodApi, pod_api
from support.policies import HEAD

from chaperone.agent.pods import workloads
from chaperone.agent.pods.workloads import PAUSE_NS, PAUSED, SECOND
from chaperone.agent.recording import Ended
from chaperone.agent.trace.tracer import Tracer
from chaperone.collector.ingest.selection import selection_of
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged
from chaperone.proto.records import Chunk, Connection, Direction, Note, ProcessSeen, SessionStarted, StreamOpened

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
KUBECTL = Path(sys.executable).parent / "kubectl"
UID, OTHER = "0a1b2c3d-0000-4000-8000-00000000000a", "0a1b2c3d-0000-4000-8000-00000000000b"
PODS = "/api/v1/namespaces/default/pods"
# On one connection: a request for each argument, behind the first once there is a file; a GET, or a POST of an object of that name.
ASKS = """
import http.client, json, os, ssl, sys, time
port, ca, token, go, *asked = sys.argv[1:]
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=ssl.create_default_context(cafile=ca))
for number, target in enumerate(asked):
    while number and not os.path.exists(go):
        time.sleep(0.05)
    path, _, name = target.partition("#")
    body = json.dumps({"kind": "X", "metadata": {"name": name}}) if name else None
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    connection.request("POST" if name else "GET", path, body, headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == (201 if name else 200), answer.status
"""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[PodApi]:
    (tmp_path / "pods").mkdir()
    with pod_api(tmp_path / "pods") as opened:
        yield opened


@pytest.fixture
def node(tracer: Tracer, api: PodApi) -> Iterator[LiveNode]:
    with kubelet() as made:
        made.pod(OTHER, "besteffort")
        with live_node(tracer, api, made) as opened:
            yield opened


def get_secrets(server: ApiServer) -> list[str | Path]:
    return [KUBECTL, "--kubeconfig", server.kubeconfig, "get", "secrets"]


def run(node: LiveNode, cgroup: Path, argv: list[str | Path], status: int = 0) -> None:
    process = node.kubelet.start(cgroup, argv, stdout=-3)
    node.until(lambda: process.poll() is not None)
    assert process.returncode == status


def requests(node: LiveNode, session: SessionStarted) -> list[bytes]:
    """The OUT plaintext of each stream of a session, each from its first byte."""
    streams = {record.stream: b"" for record in node.of(StreamOpened) if record.session == session.session}
    for chunk in node.of(Chunk):
        if chunk.stream in streams and chunk.direction is Direction.OUT:
            assert chunk.position == len(streams[chunk.stream])
            streams[chunk.stream] += chunk.data
    return list(streams.values())


def test_a_selected_pod_is_recorded_from_its_first_request_with_its_names(node: LiveNode, apiserver: ApiServer) -> None:
    id_ = container_id("first")
    node.serve(apiserver.port)
    node.put("agent", UID, labels=RECORD | {"app": "agent"}, spec={"serviceAccountName": "bot", "runtimeClassName": "runc"})
    node.ready()
    cgroup = node.kubelet.container(UID, id_)
    run(node, cgroup, get_secrets(apiserver), 0)
    assert node.records == [], "its container has no name yet"
    about = {"labels": RECORD, "spec": {"nodeName": "n1", "serviceAccountName": "bot"}, "status": statuses(("main", id_))}
    node.put("agent", UID, **about)
    node.until(node.sessions)
    (session,) = node.sessions()
    assert (session.namespace, session.pod, session.pod_uid) == ("demo", "agent", UID)
    assert (session.container, session.container_id, session.image) == ("main", id_, "image-of-main")
    assert (session.workload, session.node, session.service_account) == ("demo/agent/main", "n1", "bot")
    assert session.labels == RECORD and session.apiservers == ("extra.example:6443", f"127.0.0.1:{apiserver.port}")
    node.kubelet.remove(cgroup)
    node.until(lambda: node.ended("agent"))
    served = sorted(apiserver.plaintext(number)[0] for number in apiserver.connections())
    assert sorted(requests(node, session)) == served, "whole, from the first byte on"
    assert [ended.status for ended in node.ended("agent")] == [0]
    (kubectl,) = {record.argv[0] for record in node.of(ProcessSeen) if "get" in record.argv}
    assert kubectl == str(KUBECTL)


def test_a_pod_that_is_not_selected_leaves_nothing(node: LiveNode, apiserver: ApiServer) -> None:
    node.put("agent", UID)
    node.ready()
    cgroup = node.kubelet.container(UID, container_id("first"))
    run(node, cgroup, get_secrets(apiserver))
    run(node, cgroup, get_secrets(apiserver))
    node.put("agent", UID, status=statuses(("main", container_id("first"))))
    for _ in range(20):
        node.step()
    assert node.records == [] and not node.recording.sessions
    assert not node.recording.lineage.living and not node.recording.connections._open and not node.recording.streams._open
    assert apiserver.requests(), "though it did speak"


def test_what_was_said_before_the_api_knew_the_pod_is_the_pods(node: LiveNode, apiserver: ApiServer) -> None:
    """It is deleted, too, before anything of it is sent."""
    node.ready()
    first, second = node.kubelet.container(UID, container_id("a")), node.kubelet.container(OTHER, container_id("b"), "besteffort")
    run(node, first, get_secrets(apiserver))
    run(node, second, get_secrets(apiserver))
    node.kubelet.remove(first)
    node.kubelet.remove(second)
    for _ in range(5):
        node.step()
    assert node.records == []
    node.put("agent", UID, labels=RECORD, status=statuses(("main", container_id("a"))))
    node.put("other", OTHER, status=statuses(("main", container_id("b"))))
    node.api.remove("/api/v1/pods", "demo", "agent")
    node.until(lambda: node.ended("agent"))
    (session,) = node.sessions()
    assert requests(node, session) and session.container == "main"
    node.until(lambda: not node.node.workloads.table)


@pytest.mark.parametrize(("driver", "runtime"), [(SYSTEMD, CRIO), (CGROUPFS, CONTAINERD), (CGROUPFS, CRIO)])
@pytest.mark.parametrize("qos", ["", "besteffort"])
def test_every_layout_is_known(tracer: Tracer, api: PodApi, driver: str, runtime: str, qos: str) -> None:
    id_ = container_id("main")
    with kubelet(driver, runtime) as made:
        made.pod(OTHER, qos)
        with live_node(tracer, api, made) as node:
            node.put("agent", UID, labels=RECORD, status=statuses(("main", id_)))
            node.ready()
            cgroup = made.container(UID, id_, qos)
            run(node, cgroup, ["/bin/true"])
            node.until(node.sessions)
            made.remove(cgroup)
            node.until(lambda: node.ended("agent"))
            assert [session.container_id for session in node.sessions()] == [id_]


def test_init_main_and_ephemeral_containers_of_one_pod_have_sessions_of_their_own(node: LiveNode, apiserver: ApiServer) -> None:
    names = {"init": "initContainerStatuses", "main": "containerStatuses", "debug": "ephemeralContainerStatuses"}
    status = {key: value for name, of in names.items() for key, value in statuses((name, container_id(name)), of=of).items()}
    node.put("agent", UID, labels=RECORD, spec={"hostNetwork": True, "shareProcessNamespace": True}, status=status)
    node.ready()
    for name in names:
        run(node, node.kubelet.container(UID, container_id(name)), get_secrets(apiserver))
    node.until(lambda: len(node.sessions()) == 3)
    node.kubelet.remove_pod(UID)
    node.until(lambda: len(node.ended("agent")) == 3)
    assert {session.container for session in node.sessions()} == set(names)
    for session in node.sessions():
        assert requests(node, session), session.container


def test_a_static_pod_is_found_by_its_files_hash(node: LiveNode) -> None:
    """Its cgroup has the hash that its kubelet made of its file; the API's pod has another uid."""
    digest = "0123456789abcdef0123456789abcdef"
    node.put("static-n1", UID, labels=RECORD, annotations={"kubernetes.io/config.mirror": digest}, status=statuses(("main", "c" * 64)))
    node.ready()
    run(node, node.kubelet.container(digest, "c" * 64, ""), ["/bin/true"])
    node.until(node.sessions)
    (session,) = node.sessions()
    assert (session.pod, session.pod_uid, session.container) == ("static-n1", digest, "main")


def test_a_restarted_container_is_another_session(node: LiveNode, apiserver: ApiServer) -> None:
    """In its cgroup's old place too: the kernel's number of it is what tells."""
    first, second = container_id("first"), container_id("second")
    node.put("agent", UID, labels=RECORD, status=statuses(("main", first)))
    node.ready()
    cgroup = node.kubelet.container(UID, first)
    run(node, cgroup, ["/bin/false"], 1)
    node.kubelet.remove(cgroup)
    node.until(lambda: node.ended("agent"))
    again = {"name": "main", "containerID": f"containerd://{second}", "lastState": {"terminated": {"containerID": f"containerd://{first}"}}}
    node.put("agent", UID, labels=RECORD, status={"containerStatuses": [again]})
    run(node, node.kubelet.container(UID, second), get_secrets(apiserver))
    run(node, node.kubelet.container(UID, first), ["/bin/true"])
    node.until(lambda: len(node.sessions()) == 3)
    assert [(session.container, session.container_id) for session in node.sessions()] == [
        ("main", first),
        ("main", second),
        ("main", first),
    ]
    assert len({session.session for session in node.sessions()}) == 3
    assert [ended.status for ended in node.ended("agent")][:1] == [1]


def test_an_agent_that_comes_later_records_who_is_there(api: PodApi, apiserver: ApiServer) -> None:
    """After one that died: each has maps of its own in the kernel."""
    go = apiserver.directory / "go"
    script = f"while ! test -e {go}; do sleep 0.05; done; {KUBECTL} --kubeconfig {apiserver.kubeconfig} get secrets"
    with kubelet() as made:
        cgroup = made.container(UID, container_id("main"))
        nested = made.below(cgroup, "nested")
        process = made.start(nested, ["/bin/sh", "-c", script], stdout=-3)
        with Tracer() as tracer, live_node(tracer, api, made) as node:
            node.put("agent", UID, labels=RECORD, status=statuses(("main", container_id("main"))))
            node.until(node.sessions)
            (before,) = node.sessions()
        with Tracer() as tracer, live_node(tracer, api, made) as node:
            node.until(node.sessions)
            go.touch()
            node.until(lambda: process.poll() is not None)
            made.remove(cgroup)
            node.until(lambda: node.ended("agent"))
            (session,) = node.sessions()
            assert requests(node, session) and session.session != before.session


def test_a_container_that_outlives_its_agent_says_that_the_rest_was_not_recorded(api: PodApi) -> None:
    with kubelet() as made, Tracer() as tracer, live_node(tracer, api, made) as node:
        made.pod(UID)
        node.ready()
        for name, uid, seconds in (("agent", UID, 99), ("other", OTHER, 3)):
            node.put(name, uid, labels=RECORD, status=statuses(("main", container_id(name))))
            process = made.start(made.container(uid, container_id(name)), ["/bin/sleep", str(seconds)])
        node.until(lambda: len(node.sessions()) == 2 and process.poll() is not None)
        node.recording.end(Ended())
        node.step()
        said = [(note.session, note.text, note.complete) for note in node.of(Note)]
        (session,) = (session.session for session in node.sessions() if session.pod == "agent")
        assert said == [(session, "the agent that recorded it ended: what followed was not recorded", False)]


def test_a_label_raises_a_running_container_and_lowers_none(node: LiveNode, apiserver: ApiServer) -> None:
    status = statuses(("main", container_id("main")))
    node.put("agent", UID, status=status)
    node.ready()
    cgroup = node.kubelet.container(UID, container_id("main"))
    go = apiserver.directory / "go"
    script = f"while ! test -e {go}; do sleep 0.05; done; exec {KUBECTL} --kubeconfig {apiserver.kubeconfig} get secrets"
    process = node.kubelet.start(cgroup, ["/bin/sh", "-c", script], stdout=-3)
    node.until(lambda: node.node.workloads._ignored)
    node.put("agent", UID, labels=RECORD, status=status)
    node.until(node.sessions)
    node.put("agent", UID, labels={"chaperone.dev/govern": "enforce"}, status=status)
    node.until(lambda: "enforce" in {session.mode for session in node.recording.sessions.values()})
    node.put("agent", UID, status=status)
    for _ in range(10):
        node.step()
    go.touch()
    node.until(lambda: process.poll() is not None)
    node.kubelet.remove(cgroup)
    node.until(lambda: node.ended("agent"))
    assert requests(node, node.sessions()[0])


def test_its_connections_to_the_api_server_are_told_from_others(node: LiveNode, apiserver: ApiServer) -> None:
    """By the Service's address before it is translated, an endpoint's behind that."""
    node.serve(apiserver.port)
    node.put("agent", UID, labels=RECORD, status=statuses(("main", container_id("main"))))
    run(node, node.kubelet.container(UID, container_id("main")), get_secrets(apiserver))
    node.until(lambda: node.of(Connection))
    assert node.sessions()[0].apiservers == ("extra.example:6443", f"127.0.0.1:{apiserver.port}")
    assert {connection.remote for connection in node.of(Connection)} == {f"127.0.0.1:{apiserver.port}"}


def asking(server: ApiServer, go: Path, *targets: str) -> list[str | Path]:
    return [sys.executable, "-c", ASKS, str(server.port), server.ca, server.token, go, *targets]


def test_a_session_is_cut_behind_a_pause_and_what_is_open_stays_whole(
    node: LiveNode, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workloads, "LOOK_NS", SECOND)
    node.serve(apiserver.port)
    node.put("agent", UID, labels=RECORD, status=statuses(("main", container_id("main"))))
    node.ready()
    cgroup = node.kubelet.container(UID, container_id("main"))
    go = apiserver.directory / "go"
    open_ = node.kubelet.start(cgroup, asking(apiserver, go, f"{PODS}?before", f"{PODS}?behind"))
    node.until(lambda: node.sessions() and apiserver.requests() and requests(node, node.sessions()[0]) == [apiserver.plaintext(1)[0]])
    node.until(lambda: sum(len(chunk.data) for chunk in node.of(Chunk)) == sum(map(len, apiserver.plaintext(1))))
    [workload] = node.node.workloads.table.values()
    workload.active -= PAUSE_NS  # as if 15 minutes had passed
    run(node, cgroup, asking(apiserver, apiserver.ca, f"{PODS}?cut"))
    node.until(lambda: len(node.sessions()) == 2)
    first, second = node.sessions()
    assert second.continues == first.session and (second.pod, second.container) == ("agent", "main")
    assert not node.ended("agent"), "its connection is open"
    go.touch()
    node.until(lambda: open_.poll() is not None)
    node.until(lambda: node.ended("agent"))
    [ended] = node.ended("agent")
    assert (ended.session, ended.cut, ended.goes_on) == (first.session, PAUSED, second.session)
    node.kubelet.remove_pod(UID)
    node.until(lambda: len(node.ended("agent")) == 2)
    assert (node.ended("agent")[1].session, node.ended("agent")[1].cut) == (second.session, "")
    assert [requests(node, one) for one in (first, second)] == [[apiserver.plaintext(number)[0]] for number in (1, 2)]
    for one in (first, second):
        assert [record.ended > 0 for record in node.of(Connection) if record.session == one.session].count(True) == 1


def test_pods_of_what_a_governed_pod_makes_inherit_its_mode(node: LiveNode, apiserver: ApiServer) -> None:
    """A collector's own judging reads what the node records, and its words about heirs are what the node hears."""
    rules = arranged(policies(f"{HEAD}selector: {{labels: {{app: agent}}}}\nmode: record\nrules: []\n", "p.yaml"))
    pipeline, _ = judged_pipeline(rules)
    made = {"batch": ("jobs", "Job", "helper"), "apps": ("deployments", "ReplicaSet", "helper-5d8f7c")}
    node.serve(apiserver.port)
    node.node._told.append(selection_of(rules.policies))
    node.put("agent", UID, labels={"app": "agent"}, status=statuses(("main", container_id("main"))))
    node.ready()
    targets = [f"/apis/{group}/v1/namespaces/demo/{resource}#helper" for group, (resource, _, _) in made.items()]
    run(node, node.kubelet.container(UID, container_id("main")), asking(apiserver, apiserver.ca, *targets))
    node.kubelet.remove_pod(UID)
    node.until(lambda: node.ended("agent"))
    for record in node.records:
        pipeline.take(record, 0)
    pipeline.marks()
    node.node._told.append(selection_of(rules.policies, pipeline._judge.heirs))
    owners = {f"heir-of-{kind}": (kind, name) for _, kind, name in made.values()} | {"else-x1": ("Job", "else")}
    for number, (name, (kind, owner)) in enumerate(owners.items()):
        about = [{"kind": kind, "name": owner, "controller": True}]
        node.put(name, uid := f"{OTHER[:-1]}{number}", owners=about, status=statuses(("main", container_id(name))))
        run(node, node.kubelet.container(uid, container_id(name)), asking(apiserver, apiserver.ca, PODS))
        node.kubelet.remove_pod(uid)
    node.until(lambda: all(node.ended(f"heir-of-{kind}") for _, kind, _ in made.values()))
    heirs = node.sessions()[1:]
    assert [(one.pod, one.owner) for one in heirs] == [("heir-of-Job", "Job/helper"), ("heir-of-ReplicaSet", "ReplicaSet/helper-5d8f7c")]
    assert [requests(node, one) for one in heirs] == [[apiserver.plaintext(number)[0]] for number in (2, 3)], "from their first byte"
