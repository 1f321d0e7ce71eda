"""Live: what programs tell others than the API server leaves the node only where a policy has it read.

`wire` is each batch as a collector gets it; the spool has the same batches, sealed.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import doubled_launcher
from support.apiserver import ApiServer, apiserver
from support.collector_double import CollectorDouble
from support.collectors import leave
from support.kernel import skip_without_kernel
from support.leaks import leaks_in
from support.tls_server import TlsServer, tls_server

from chaperone.proto.records import Bound, Chunk, Connection, Direction, Loss, Record, StreamClosed, Withheld, pack

__all__ = ["apiserver"]
pytestmark = pytest.mark.kernel
CHAPERONE, KUBECTL = (Path(sys.executable).with_name(name) for name in ("chaperone", "kubectl"))
CANARY = "canary5e11c0elsewhereQ8"
# Two programs with a TLS library each, one of them also to a server that a proxy leads to. No command line has the canary, which
# would be recorded.
SCRIPT = """
set -e
kubectl get pods >/dev/null
curl -sS --http1.1 --cacert "$CA" --proxy "$PROXY" -o /dev/null "$URL/version"
curl -sS --http1.1 --config "$TOLD"
"$PYTHON" -c '
import os, ssl, urllib.request
context = ssl.create_default_context(cafile=os.environ["OTHER_CA"])
told = dict(told=open(os.environ["TOLD"]).read().splitlines()[-1], Connection="close")
request = urllib.request.Request("https://127.0.0.1:" + os.environ["OTHER"] + "/", headers=told)
urllib.request.urlopen(request, context=context).read()
'
"""
CONFIG = """cacert = "{ca}"
output = "/dev/null"
header = "X-Told: {canary}"
url = "https://127.0.0.1:{port}/{canary}"
# {canary}
"""


@pytest.fixture(autouse=True)
def _kernel() -> None:
    skip_without_kernel()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[TlsServer]:
    with tls_server(tmp_path) as opened:
        yield opened


@contextmanager
def proxying() -> Iterator[int]:
    """The port of a proxy: it reads a CONNECT, and carries bytes from then on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket) -> None:
    client, _ = listener.accept()
    with client, client.makefile("rb") as asked:
        host, _, port = asked.readline().split()[1].decode().rpartition(":")
        while asked.readline() != b"\r\n":
            continue
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_carry, args=(server, client))
            back.start()
            _carry(client, server)
            back.join()


def _carry(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):  # the other one has gone
        while data := here.recv(65536):
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)


def told(folder: Path, server: ApiServer, elsewhere: TlsServer, proxy: int) -> dict[str, str]:
    """The script's environment."""
    config = folder / "config"
    config.write_text(CONFIG.format(ca=elsewhere.certificate, port=elsewhere.port, canary=CANARY))
    names = {"CA": server.ca, "URL": server.url, "PROXY": f"http://127.0.0.1:{proxy}", "PYTHON": sys.executable, "TOLD": config}
    names |= {"OTHER": elsewhere.port, "OTHER_CA": elsewhere.certificate, "KUBECONFIG": server.kubeconfig}
    return {**os.environ, **{name: str(value) for name, value in names.items()}}


def wire(folder: Path, server: ApiServer, elsewhere: TlsServer, scan: str) -> list[Record]:
    """What a collector gets of one run of the script by the real agent and launcher, if the agent is told that of `egress.scan`."""
    collector = CollectorDouble(folder / "collector.sock")
    collector.start()
    try:
        with proxying() as proxy:
            ours = {"PYTHONPATH": str(Path(doubled_launcher.__file__).parents[1]), "COLLECTOR_SOCKET": str(collector.socket)}
            ours |= {"ENFORCE": json.dumps({"scan": scan})}
            argv = [sys.executable, doubled_launcher.__file__, "sh", "-c", SCRIPT]
            environment = told(folder, server, elsewhere, proxy) | ours
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return list(collector.records())
    finally:
        collector.stop()


def test_only_the_sizes_of_what_went_elsewhere_leave_the_node(apiserver: ApiServer, elsewhere: TlsServer, tmp_path: Path) -> None:
    records = wire(tmp_path, apiserver, elsewhere, "off")
    plaintext = b"".join(b"".join(sides) for sides in elsewhere.finished())
    assert plaintext.count(CANARY.encode()) == 3, "the programs did say it"
    assert leaks_in(pack(records), CANARY.encode()) == []
    bound = {record.stream: record.remote for record in records if isinstance(record, Bound) and record.elsewhere}
    assert list(bound.values()) == [f"127.0.0.1:{elsewhere.port}"] * 2
    withheld = {(one.stream, one.direction): (one.position, one.size) for one in records if isinstance(one, Withheld)}
    over = {one.stream: (one.out_position, one.in_position) for one in records if isinstance(one, StreamClosed)}
    assert withheld == {(stream, side): (0, over[stream][side]) for stream in bound for side in Direction}
    assert sorted(over[stream] for stream in bound) == sorted((len(out), len(into)) for out, into in elsewhere.finished())
    spoken = {one.stream for one in records if isinstance(one, Chunk)}
    assert not spoken & bound.keys()
    assert any(one.data.startswith(b"GET /version ") for one in records if isinstance(one, Chunk)), "a proxy may lead to the API server"
    assert not [one for one in records if isinstance(one, Loss)]
    ends = [one for one in records if isinstance(one, Connection) and one.ended and one.remote == f"127.0.0.1:{elsewhere.port}"]
    assert [(one.coverage_out, one.coverage_in) for one in ends] == [("complete", "complete")] * 2


def test_where_it_may_all_of_it_leaves(apiserver: ApiServer, elsewhere: TlsServer, tmp_path: Path) -> None:
    records = wire(tmp_path, apiserver, elsewhere, "on")
    said = b"".join(one.data for one in records if isinstance(one, Chunk))
    assert said.count(CANARY.encode()) == 3
    assert not [one for one in records if isinstance(one, Withheld)]


def test_a_run_records_an_api_server_that_nobody_named(apiserver: ApiServer, tmp_path: Path) -> None:
    named, store = tmp_path / "named", tmp_path / "store"
    named.write_text(apiserver.kubeconfig.read_text().replace(apiserver.url, "https://named.test:6443"))
    argv = [CHAPERONE, "run", "--store", store, "--", KUBECTL, "--kubeconfig", apiserver.kubeconfig, "get", "pods"]
    done = subprocess.run(argv, env={**os.environ, "KUBECONFIG": str(named)}, capture_output=True, text=True, timeout=120, check=False)
    try:
        assert done.returncode == 0, done.stderr
        listed = subprocess.run([CHAPERONE, "calls", "list", "--store", store, "-o", "json"], capture_output=True, text=True, check=True)
        assert ("list", "pods") in [(call["verb"], call["resource"]) for call in json.loads(listed.stdout)]
    finally:
        leave(store)
