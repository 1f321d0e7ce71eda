"""The real agent under the real launcher on the real kernel; truth is what the server logged."""

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import doubled_launcher
from support.apiserver import ApiServer, apiserver
from support.collector_double import CollectorDouble
from support.kernel import skip_without_kernel

from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction, Loss, Note, ProcessEnded, ProcessSeen, SessionEnded, SessionStarted, StreamOpened

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
Sides = tuple[bytes, bytes]
CURL_LEAVES = 9  # bytes: the server's SETTINGS acknowledgement, which comes when curl has its answer


@pytest.fixture(autouse=True)
def _kernel() -> None:
    skip_without_kernel()


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorDouble]:
    double = CollectorDouble(tmp_path / "collector.sock")
    double.start()
    yield double
    double.stop()


def launch(collector: CollectorDouble, server: ApiServer, *command: str) -> "subprocess.CompletedProcess[str]":
    support = str(Path(doubled_launcher.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": support, "COLLECTOR_SOCKET": str(collector.socket), "KUBECONFIG": str(server.kubeconfig)}
    argv = [sys.executable, doubled_launcher.__file__, *command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment)


def plaintexts(collector: CollectorDouble) -> dict[StreamId, Sides]:
    """Both directions of each stream, from chunks that must follow one another without a gap."""
    found: dict[StreamId, tuple[bytearray, bytearray]] = defaultdict(lambda: (bytearray(), bytearray()))
    for record in collector.records():
        assert not isinstance(record, Loss)
        if isinstance(record, Chunk):
            side = found[record.stream][record.direction]
            assert len(side) == record.position
            side += record.data
    return {stream: (bytes(out), bytes(in_)) for stream, (out, in_) in found.items()}


def assert_all_captured(collector: CollectorDouble, server: ApiServer, unread: int = 0) -> None:
    """Each connection is a stream, by SHA-256 of both sides. `unread`: bytes of the answer that a client may leave in its socket."""
    logged = sorted(sides for number in server.connections() if (sides := server.plaintext(number))[0])
    captured = sorted(plaintexts(collector).values())
    assert len(captured) == len(logged)
    for (out, in_), (logged_out, logged_in) in zip(captured, logged, strict=True):
        assert digest(out) == digest(logged_out)
        assert digest(in_) == digest(logged_in[: len(in_)])
        assert 0 <= len(logged_in) - len(in_) <= unread


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_kubectl_is_captured_byte_for_byte(collector: CollectorDouble, apiserver: ApiServer) -> None:
    done = launch(collector, apiserver, "kubectl", "get", "secrets", "-o", "yaml")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == {"left": 0, "troubles": []}
    assert_all_captured(collector, apiserver)


def test_curl_and_python_in_a_shell_are_captured_byte_for_byte(collector: CollectorDouble, apiserver: ApiServer) -> None:
    context = f"ssl.create_default_context(cafile='{apiserver.ca}')"
    python = f"import ssl, urllib.request as u; u.urlopen('{apiserver.url}/demo/bytes?size=3000000', context={context}).read()"
    script = f'curl -sS --cacert {apiserver.ca} -o /dev/null {apiserver.url}/version && {sys.executable} -c "{python}"'
    done = launch(collector, apiserver, "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert_all_captured(collector, apiserver, CURL_LEAVES)


def test_each_stream_belongs_to_a_process_with_program_and_parents(collector: CollectorDouble, apiserver: ApiServer) -> None:
    launch(collector, apiserver, "sh", "-c", "kubectl get secrets; exit 3")
    records = collector.records()
    started, ended = records[0], records[-1]
    assert isinstance(started, SessionStarted)
    assert started.apiservers == (f"127.0.0.1:{apiserver.port}",)
    assert started.argv == ("sh", "-c", "kubectl get secrets; exit 3")
    assert isinstance(ended, SessionEnded)
    assert ended.status == 3
    processes = {record.process: record for record in records if isinstance(record, ProcessSeen)}
    opened = [record for record in records if isinstance(record, StreamOpened)]
    assert opened
    for stream in opened:
        kubectl = processes[stream.process]
        assert kubectl.argv == ("kubectl", "get", "secrets")
        assert stream.session == kubectl.session == started.session
        assert kubectl.parent is not None
        assert processes[kubectl.parent].argv[0] == "sh"
    statuses = {processes[record.process].argv[0]: record.status for record in records if isinstance(record, ProcessEnded)}
    assert statuses["sh"] == 3
    assert not [record for record in records if isinstance(record, Note) and not record.complete]


def test_a_program_nobody_named_is_probed_when_it_is_executed(collector: CollectorDouble, apiserver: ApiServer, tmp_path: Path) -> None:
    unseen = tmp_path / "unseen"
    unseen.write_bytes(Path(subprocess.check_output(["which", "kubectl"], text=True).strip()).resolve().read_bytes())
    unseen.chmod(0o755)
    hidden = f"eval $(echo {str(unseen)[:-4]})seen get secrets; sleep 2; eval $(echo {str(unseen)[:-4]})seen get secrets"
    assert launch(collector, apiserver, "sh", "-c", hidden).returncode == 0
    assert plaintexts(collector), "the second run, at the latest"


def test_fifty_short_lived_clients_in_a_row_are_all_whole(collector: CollectorDouble, apiserver: ApiServer) -> None:
    fetch = f"curl -sS --cacert {apiserver.ca} -o /dev/null {apiserver.url}/version"
    assert launch(collector, apiserver, "sh", "-c", f"for i in $(seq 50); do {fetch}; done").returncode == 0
    assert len(plaintexts(collector)) == 50
    assert_all_captured(collector, apiserver, CURL_LEAVES)


def test_one_removed_chunk_is_noticed_by_these_tests(collector: CollectorDouble, apiserver: ApiServer) -> None:
    launch(collector, apiserver, "kubectl", "get", "secrets")
    records = collector.records()
    chunks = [record for record in records if isinstance(record, Chunk) and record.direction is Direction.IN]
    records.remove(chunks[len(chunks) // 2])
    collector.records = lambda: records  # type: ignore[method-assign]
    with pytest.raises(AssertionError):
        assert_all_captured(collector, apiserver)
