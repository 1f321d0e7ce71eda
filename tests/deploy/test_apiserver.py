"""The demo API server answers unmodified clients as the recorded kube-apiserver did, and logs what went over the wire."""

import hashlib
import http.client
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver, running

__all__ = ["apiserver"]
KUBECTL = Path(sys.executable).parent / "kubectl"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("apiserver"), "--pause", "0.05") as server:
        yield server


def kubectl(server: ApiServer, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": str(server.kubeconfig), "HOME": str(server.directory)}
    return subprocess.run([KUBECTL, *arguments], input=stdin, capture_output=True, text=True, timeout=20, env=environment, check=False)


def connect(server: ApiServer) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", server.port, context=ssl.create_default_context(cafile=server.ca), timeout=60)


def test_kubectl_lists_and_reads(server: ApiServer) -> None:
    assert "agent" in kubectl(server, "get", "pods").stdout
    assert "password: czNjcjN0LVBhNTV3MHJk" in kubectl(server, "get", "secret", "db-cred", "-o", "yaml").stdout
    assert "15 bytes" in kubectl(server, "describe", "secret", "db-cred").stdout
    assert "v1.36.0" in kubectl(server, "version").stdout
    assert "Mon Nov 23" in kubectl(server, "logs", "agent").stdout


def test_kubectl_creates_applies_and_deletes(server: ApiServer) -> None:
    assert kubectl(server, "create", "secret", "generic", "db", "--from-literal=password=hunter2").stdout == "secret/db created\n"
    assert "aHVudGVyMg==" in kubectl(server, "get", "secret", "db", "-o", "yaml").stdout
    assert kubectl(server, "delete", "secret", "db").returncode == 0
    assert kubectl(server, "get", "secret", "db").stderr == 'Error from server (NotFound): secrets "db" not found\n'
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"
    assert kubectl(server, "apply", "-f", "-", stdin=manifest).stdout == "configmap/settings created\n"
    assert kubectl(server, "apply", "-f", "-", stdin=manifest.replace("a: b", "a: c")).stdout == "configmap/settings configured\n"


def test_kubectl_applies_on_the_server_and_selects_by_label(server: ApiServer) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: colours, labels: {app: shop}}\ndata: {a: b}\n"
    assert kubectl(server, "apply", "--server-side", "-f", "-", stdin=manifest).stdout == "configmap/colours serverside-applied\n"
    assert kubectl(server, "get", "configmaps", "-l", "app=shop", "-o", "name").stdout == "configmap/colours\n"
    assert kubectl(server, "get", "configmaps", "-l", "app=other", "-o", "name").stdout == ""


def test_kubectl_copies_and_forwards_a_port(server: ApiServer, tmp_path: Path) -> None:
    assert kubectl(server, "cp", "agent:/etc/env", str(tmp_path / "env"), "-c", "main").returncode == 0
    assert "HOME=/root" in (tmp_path / "env").read_text()
    environment = os.environ | {"KUBECONFIG": str(server.kubeconfig)}
    command = [KUBECTL, "port-forward", "pod/agent", ":80"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as forwarder:
        assert forwarder.stdout is not None
        port = int(forwarder.stdout.readline().split(":")[1].split()[0])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
            peer.sendall(b"ping")
            assert peer.recv(10) == b"ping"
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(10) == b""
        forwarder.terminate()


def test_kubectl_watches_until_the_server_ends(server: ApiServer) -> None:
    lines = kubectl(server, "get", "pods", "-w").stdout.splitlines()
    assert [line.split()[2] for line in lines if line.startswith("report-")] == ["Pending", "Running", "Completed"]


def test_kubectl_executes_over_a_websocket(server: ApiServer) -> None:
    ran = kubectl(server, "exec", "agent", "-c", "main", "--", "sh", "-c", "exit 3")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("out\n", "err\ncommand terminated with exit code 3\n", 3)
    assert kubectl(server, "exec", "-i", "agent", "--", "cat", stdin="hello\n").stdout == "hello\n"


def test_who_may_not_is_told_so(server: ApiServer) -> None:
    assert 'User "nobody" cannot list resource "secrets"' in kubectl(server, "--as=nobody", "get", "secrets").stderr
    connection = connect(server)
    connection.request("GET", "/api/v1/secrets")
    assert connection.getresponse().status == 403


def test_bytes_of_any_size_go_both_ways_and_the_log_is_exact(apiserver: ApiServer) -> None:
    connection, sent = connect(apiserver), b"x" * 3_000_001
    connection.request("POST", "/demo/swallow", body=sent)
    assert hashlib.sha256(sent).hexdigest() in connection.getresponse().read().decode()
    connection.request("GET", "/demo/bytes?size=1000001&chunked=1")
    received = connection.getresponse().read()
    connection.close()
    out, back = apiserver.plaintext(1)
    assert len(received) == 1000001
    assert sent in out
    assert received[-5000:] in back
    assert [request["code"] for request in apiserver.requests()] == [200, 200]


def test_a_client_that_sends_garbage_gets_400_and_the_next_one_is_served(server: ApiServer) -> None:
    connection = connect(server)
    connection.connect()
    connection.sock.sendall(b"\x00\x01garbage\r\n\r\n")
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 400")
    assert kubectl(server, "get", "pods").returncode == 0
