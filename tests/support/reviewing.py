"""An API server that only reviews: which tokens there are and who may what, over TLS."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.certificates import authority

ALICE = "alice-token"


@dataclass(slots=True)
class Reviewing:
    """`allowed`: (user, verb, resource, namespace). `asked`: the bodies of all reviews. `status`: of every answer."""

    url: str = ""
    ca: Path = Path()
    tokens: dict[str, dict[str, Any]] = field(default_factory=lambda: {ALICE: {"username": "alice", "groups": ["dev"]}})
    allowed: set[tuple[str, str, str, str]] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    status: int = 201

    def review(self, review: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(review)
        spec = review["spec"]
        if review["kind"] == "TokenReview":
            user = self.tokens.get(spec["token"])
            return review | {"status": {"authenticated": True, "user": user} if user else {"authenticated": False, "error": "unknown"}}
        wanted = spec["resourceAttributes"]
        assert wanted["group"] == "chaperone.dev"
        key = (spec["user"], wanted["verb"], wanted["resource"], wanted["namespace"])
        return review | {"status": {"allowed": key in self.allowed}}

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
def reviewing(folder: Path) -> Iterator[Reviewing]:
    """One that serves."""
    state = Reviewing()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(state.review(review) if state.status == 201 else {"kind": "Status"}).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.ca, context = authority(folder)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
