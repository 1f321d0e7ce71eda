"""An API server over TLS that answers by a function: for what asks one itself."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.certificates import authority

Answer = tuple[int, Any]  # status and body


@dataclass(frozen=True, slots=True)
class ApiDouble:
    """Where it serves, and the certificate of its authority. `requests`: method and target of all so far."""

    url: str
    ca: Path
    requests: list[tuple[str, str]] = field(default_factory=list)

    def kubeconfig(self, folder: Path, token: str = "collector-token") -> Path:
        """For whoever has the token."""
        cluster = {"name": "c", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}
        users = [{"name": "u", "user": {"token": token}}]
        contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
        path = folder / f"kubeconfig-{token}"
        config = {"kind": "Config", "apiVersion": "v1", "clusters": [cluster], "users": users, "contexts": contexts, "current-context": "x"}
        path.write_text(json.dumps(config))
        return path


@contextmanager
def api_double(folder: Path, answer: Callable[[str, str, Any], Answer]) -> Iterator[ApiDouble]:
    """One that serves: `answer` gets method, path and body (None without one), from several threads."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            double.requests.append((self.command, self.path))
            size = int(self.headers.get("Content-Length") or 0)
            status, body = answer(self.command, self.path, json.loads(self.rfile.read(size)) if size else None)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - as http.server calls them

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ca, context = authority(folder)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    double = ApiDouble(f"https://127.0.0.1:{server.server_port}", ca)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
