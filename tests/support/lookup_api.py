"""An API server double with real TLS that knows pods: what it is asked, whom it believes, and how it fails."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.tls_directories import SERVER, authority, hour, tls_directory

from chaperone.collector.identity.certificates import Subject, issue

TOKEN = "look-up-token-7f2"


def pod(name: str, privileged: bool, namespace: str = "default", **more: Any) -> dict[str, Any]:
    """As the API has it."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d8", "controller": True}
    about = {"name": name, "namespace": namespace, "labels": {"app": "web"}, "ownerReferences": [owner], **more}
    container = {"name": "c", "image": "nginx:1", "securityContext": {"privileged": privileged}}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": about, "spec": {"serviceAccountName": "runner", "containers": [container]}}


@dataclass(slots=True)
class LookupApi:
    """`gate`: answers wait for it. `status`: said to everything instead of an answer. `body`: instead of a pod."""

    directory: Path
    port: int = 0
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)  # method, path, credential, user agent
    gate: threading.Event = field(default_factory=threading.Event)
    status: int = 0
    body: bytes = b""

    def kubeconfig(self, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Path:
        server = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": "ca.crt"}
        document = {
            "clusters": [{"name": "a", "cluster": server | (cluster or {})}],
            "users": [{"name": "a", "user": user if user is not None else {"token": TOKEN}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        }
        path = self.directory / "kubeconfig"
        path.write_text(json.dumps(document))
        return path


@contextmanager
def lookup_api(directory: Path, *pods: dict[str, Any], client_certificates: bool = False) -> Iterator[LookupApi]:
    """A server that lives as long as the block."""
    directory.mkdir(exist_ok=True)
    api = LookupApi(directory, pods={f"{one['metadata']['namespace']}/{one['metadata']['name']}": one for one in pods})
    api.gate.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(api))
    server.daemon_threads = True
    server.socket = context(directory, client_certificates).wrap_socket(server.socket, server_side=True)
    api.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def handler(api: LookupApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.asked.append(("GET", self.path, self.headers.get("Authorization", ""), self.headers.get("User-Agent", "")))
            api.gate.wait(30)
            parts = self.path.split("/")
            found = api.pods.get(f"{parts[4]}/{parts[6]}") if len(parts) == 7 and parts[5] == "pods" else None
            status = api.status or (401 if not self._is_believed() else 200 if found else 404)
            body = api.body or json.dumps(found if status == 200 else {"kind": "Status", "code": status}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _is_believed(self) -> bool:
            has_certificate = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
            return has_certificate or self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's word
            pass

    return Handler


def context(directory: Path, client_certificates: bool) -> ssl.SSLContext:
    """TLS by a CA of its own, whose certificate is ca.crt; client.crt and client.key are of the same."""
    parent = authority()
    client, server = issue(parent, Subject("client"), hour()), tls_directory(directory / "server", parent, SERVER)
    for name, data in (("ca.crt", parent.certificate), ("client.crt", client.certificate), ("client.key", client.key)):
        (directory / name).write_bytes(data)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(server / "tls.crt", server / "tls.key")
    if client_certificates:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(directory / "ca.crt")
    return made


def in_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
