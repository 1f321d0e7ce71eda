"""Live: what containers share or have after one another is no way to mix them up: pids, process and network namespaces, addresses."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import self_talk
from support.apiserver import ApiServer, apiserver
from support.c_peer import built
from support.kubelet import container_id, kubelet
from support.live_node import RECORD, LiveNode, live_node, statuses
from support.pod_api import pod_api
from support.tls_server import make_certificate

from chaperone.agent.gate import gate
from chaperone.agent.pods.select import Mode, Selection, Selector
from chaperone.agent.trace.tracer import Tracer
from chaperone.proto.records import Chunk, Connection, Direction, Note, ProcessSeen, SessionStarted, StreamOpened

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
KUBECTL = Path(sys.executable).parent / "kubectl"
UID, OTHER = "0a1b2c3d-0000-4000-8000-00000000000a", "0a1b2c3d-0000-4000-8000-00000000000b"
TAKEN = 100  # reborn.c: the pid is another's
ALL_OF_IT = Selection((Selector(Mode.RECORD, only_raises=True, scans=True),))  # whoever is spoken with
PORT = 20000 + os.getpid() % 10000


@pytest.fixture
def node(tracer: Tracer, tmp_path: Path) -> Iterator[LiveNode]:
    (tmp_path / "pods").mkdir()
    with pod_api(tmp_path / "pods") as api, kubelet() as made:
        made.pod(OTHER, "besteffort")
        with live_node(tracer, api, made, ALL_OF_IT) as opened:
            yield opened


def get(server: ApiServer, what: str) -> list[str | Path]:
    return [KUBECTL, "--kubeconfig", server.kubeconfig, "get", what]


def selected(node: LiveNode, name: str, uid: str, *containers: str, **spec: object) -> None:
    node.put(name, uid, labels=RECORD, spec=spec, status=statuses(*((one, container_id(one)) for one in containers)))


def ended(node: LiveNode, process: "subprocess.Popen[bytes]") -> int:
    node.until(lambda: process.poll() is not None)
    return int(process.returncode)


def session(node: LiveNode, container: str) -> SessionStarted:
    (found,) = (one for one in node.sessions() if one.container == container)
    return found


def said(node: LiveNode, container: str) -> list[bytes]:
    """The OUT plaintext of each stream of a container's session."""
    own = session(node, container).session
    streams = {record.stream: b"" for record in node.of(StreamOpened) if record.session == own}
    for chunk in node.of(Chunk):
        if chunk.stream in streams and chunk.direction is Direction.OUT:
            assert chunk.position == len(streams[chunk.stream])
            streams[chunk.stream] += chunk.data
    return list(streams.values())


def processes(node: LiveNode, container: str) -> list[ProcessSeen]:
    own = session(node, container).session
    return [record for record in node.of(ProcessSeen) if record.session == own]


def test_what_went_unlooked_of_a_pod_is_said_before_its_end(node: LiveNode, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And in no other pod's session."""
    selected(node, "agent", UID, "first")
    selected(node, "other", OTHER, "second")
    node.ready()
    first = node.kubelet.container(UID, container_id("first"))
    second = node.kubelet.container(OTHER, container_id("second"), "besteffort")
    assert ended(node, node.kubelet.start(second, get(apiserver, "configmaps"), stdout=-3)) == 0
    monkeypatch.setattr(gate, "PATIENCE_NS", 0)
    monkeypatch.setattr(node.recording.gate.programs, "executed", lambda image: None)
    assert ended(node, node.kubelet.start(first, get(apiserver, "secrets"), stdout=-3)) == 0
    for cgroup in (first, second):
        node.kubelet.remove(cgroup)
    node.until(lambda: node.ended("agent") and node.ended("other"))
    unlooked = [note for note in node.of(Note) if "threads went on unlooked" in note.text]
    assert {note.session for note in unlooked} == {session(node, "first").session} and not any(note.complete for note in unlooked)


def served(server: ApiServer, what: str) -> list[bytes]:
    """What the client said that asked for this, as the server has it."""
    connections = {request["connection"] for request in server.requests() if f"/{what}" in request["requestURI"]}
    return [server.plaintext(number)[0] for number in connections]


def test_containers_that_share_a_process_namespace_are_told_apart(node: LiveNode, apiserver: ApiServer) -> None:
    """The second enters the first one's pid and mount namespaces: there both see the same small pids."""
    selected(node, "agent", UID, "first", "second", shareProcessNamespace=True)
    node.ready()
    first, second = (node.kubelet.container(UID, container_id(name)) for name in ("first", "second"))
    go = apiserver.directory / "go"
    script = f"while ! test -e {go}; do sleep 0.05; done; {KUBECTL} --kubeconfig {apiserver.kubeconfig} get secrets"
    namespaces = ["unshare", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", script]
    waiting = node.kubelet.start(first, namespaces, stdout=-3)
    node.until(lambda: [one for one in node.sessions() if one.container == "first"] and shells(node))
    enter: list[str | Path] = ["nsenter", "--target", str(shells(node)[0]), "--pid", "--mount", *map(str, get(apiserver, "configmaps"))]
    assert ended(node, node.kubelet.start(second, enter, stdout=-3)) == 0
    go.touch()
    assert ended(node, waiting) == 0
    node.kubelet.remove_pod(UID)
    node.until(lambda: len(node.ended("agent")) == 2)
    assert (said(node, "first"), said(node, "second")) == (served(apiserver, "secrets"), served(apiserver, "configmaps"))
    assert len(said(node, "first")) == len(said(node, "second")) == 1
    for container in ("first", "second"):
        assert [one.exe for one in processes(node, container) if "get" in one.argv and one.argv[0] == str(KUBECTL)] == [
            str(KUBECTL.resolve())
        ]


def shells(node: LiveNode) -> list[int]:
    """The process that waits, by the pid that the node knows it by; then its own forks."""
    return [one.pid for one in node.of(ProcessSeen) if one.argv[:2] == ("/bin/sh", "-c") and "test -e" in one.argv[2]]


def test_the_same_addresses_in_several_networks_are_told_apart(node: LiveNode, tmp_path: Path) -> None:
    """Two pods with a network each, and one with the host's."""
    certificate, key = make_certificate(tmp_path)
    names = {"own": UID, "other": OTHER, "host": "0a1b2c3d-0000-4000-8000-00000000000c"}
    for name, uid in names.items():
        selected(node, name, uid, name, hostNetwork=name == "host")
    node.ready()
    alone = ["unshare", "--net", "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    for name, uid in names.items():
        talk = [sys.executable, self_talk.__file__, str(PORT), str(certificate), str(key), f"{name} says"]
        command = talk if name == "host" else [*alone, *talk]
        assert ended(node, node.kubelet.start(node.kubelet.container(uid, container_id(name)), command)) == 0
        node.kubelet.remove_pod(uid)
    node.until(lambda: all(node.ended(name) for name in names))
    both = {(f"127.0.0.1:{PORT}", f"127.0.0.1:{PORT + 1}"), (f"127.0.0.1:{PORT + 1}", f"127.0.0.1:{PORT}")}
    for name in names:
        own = session(node, name).session
        assert {(one.local, one.remote) for one in node.of(Connection) if one.session == own} == both
        assert sorted(said(node, name)) == sorted([f"{name} says".encode(), f"{name} says".encode()[::-1]])


def test_a_pid_that_comes_again_is_another_process(node: LiveNode, apiserver: ApiServer, tmp_path: Path) -> None:
    """In another pod's container, before anything of the first one's was read."""
    reborn = built("reborn", tmp_path)
    selected(node, "agent", UID, "first")
    selected(node, "other", OTHER, "second")
    node.ready()
    first = node.kubelet.container(UID, container_id("first"))
    second = node.kubelet.container(OTHER, container_id("second"), "besteffort")
    pid = again(reborn, first, get(apiserver, "secrets"))
    assert again(reborn, second, get(apiserver, "configmaps"), pid) == pid
    node.kubelet.remove(first)
    node.kubelet.remove(second)
    node.until(lambda: node.ended("agent") and node.ended("other"))
    (before,), (after,) = (processes(node, container) for container in ("first", "second"))
    assert before.pid == after.pid == pid and before.process != after.process
    assert (before.argv[-1], after.argv[-1]) == ("secrets", "configmaps")
    assert (said(node, "first"), said(node, "second")) == (served(apiserver, "secrets"), served(apiserver, "configmaps"))


def again(reborn: Path, cgroup: Path, argv: list[str | Path], pid: int = 0) -> int:
    """Run it to its end, as this process or as one that was free; which."""
    for wanted in [pid] if pid else range(free_pid(), free_pid() + 50):
        process = subprocess.run([reborn, str(wanted), cgroup, *argv], stdout=subprocess.DEVNULL, timeout=120, check=False)
        if process.returncode != TAKEN:
            assert process.returncode == 0
            return wanted
    raise AssertionError("no pid is free")


def free_pid() -> int:
    """One that others will not come to soon."""
    limit, last = (int(Path(f"/proc/sys/kernel/{name}").read_text()) for name in ("pid_max", "ns_last_pid"))
    return 300 + (last + limit // 2) % (limit - 400)
