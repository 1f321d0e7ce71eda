"""An API server that lists and watches objects, over real TLS: as far as a client of list and watch can tell.

`put` and `remove` change what there is; `forget` makes the versions so far too old (410); `token` is who may ask; `hang_up` ends all
watches. What was asked is in `asked`; `requests` has method and target of that and of patches.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.certificates import authority

Object = dict[str, Any]


class PodApi:
    """The objects by path of their list. Versions are one count of all changes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.token = "token-1"
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.requests: list[tuple[str, str]] = []
        self.page = 500  # at the most, whatever a client asks for
        self.refuses = 0  # every question with this status; 0: none
        self.garbage = b""  # instead of the next event
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._events: list[tuple[int, str, str, Object]] = []
        self._version = self._oldest = 1
        self._era, self._closed = 0, False
        self._changed = threading.Condition()
        ca, context = authority(directory)
        (directory / "ca.crt").write_bytes(ca.read_bytes())
        self.authorize(self.token)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def authorize(self, token: str, tells: bool = True) -> None:
        """Only this token is good from now on; `tells`: it is in the service account's file."""
        self.token = token
        if tells:
            (self.directory / "token").write_text(token)

    def put(self, path: str, item: Object) -> None:
        about = item["metadata"]
        key = (about.get("namespace", ""), about["name"])
        with self._changed:
            is_new = key not in self._objects.setdefault(path, {})
            self._objects[path][key] = item
            self._tell(path, "ADDED" if is_new else "MODIFIED", item)

    def remove(self, path: str, namespace: str, name: str) -> None:
        with self._changed:
            self._tell(path, "DELETED", self._objects[path].pop((namespace, name)))

    def forget(self) -> None:
        with self._changed:
            self._version += 1
            self._oldest = self._version
            self._events.clear()
        self.hang_up()

    def hang_up(self) -> None:
        with self._changed:
            self._era += 1
            self._changed.notify_all()

    def patched(self, path: str, patch: list[dict[str, Any]]) -> int:
        """The status of an object without a namespace is set; the answer's code."""
        of, _, name = path.removesuffix("/status").rpartition("/")
        with self._changed:
            if ("", name) not in self._objects.get(of, {}) or not path.endswith("/status"):
                return 404
            item = self._objects[of]["", name]
            item["status"] = patch[0]["value"]
            self._tell(of, "MODIFIED", item)
            return 200

    def lists(self, path: str) -> int:
        return sum(1 for asked, query in self.asked if asked == path and "watch" not in query)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._changed:
            self._closed = True
        self.hang_up()

    def _tell(self, path: str, what: str, item: Object) -> None:
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        self._events.append((self._version, path, what, json.loads(json.dumps(item))))
        self._changed.notify_all()

    def listed(self, path: str, query: dict[str, str]) -> Object:
        with self._changed:
            begin = int(query.get("continue", 0))
            end = begin + min(self.page, int(query.get("limit", 500)))
            items = list(self._objects.get(path, {}).values())
            more = str(end) if end < len(items) else ""
            return {"metadata": {"resourceVersion": str(self._version), "continue": more}, "items": items[begin:end]}

    def events(self, path: str, version: int) -> Iterator[bytes]:
        with self._changed:
            era = self._era
            if version < self._oldest:
                yield _line("ERROR", {"kind": "Status", "code": 410, "metadata": {}})
                return
        while (new := self._next(path, version, era)) is not None:
            version = max([version, *(number for number, _ in new)])
            yield from (line for _, line in new)

    def _next(self, path: str, version: int, era: int) -> list[tuple[int, bytes]] | None:
        """Events behind a version with theirs, waiting for one; None when all watches end."""
        with self._changed:
            self._changed.wait_for(lambda: self._era != era or self._closed or self._newer(path, version) or self.garbage, 30)
            garbage, self.garbage = self.garbage, b""
            if self._era != era or self._closed:
                return None
            said = [(0, garbage)] if garbage else []
            return said + [(number, _line(what, item)) for number, _, what, item in self._newer(path, version)]

    def _newer(self, path: str, version: int) -> list[tuple[int, str, str, Object]]:
        return [event for event in self._events if event[0] > version and event[1] == path]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: PodApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_PATCH(self) -> None:
        self.server.api.requests.append((self.command, self.path))
        patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.api.refuses or self.headers["Authorization"] != f"Bearer {self.server.api.token}":
            self._answer(self.server.api.refuses or 401, b'{"kind": "Status"}')
        else:
            self._answer(self.server.api.patched(urlsplit(self.path).path, patch), b"{}")

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        api = self.server.api
        api.asked.append((url.path, query))
        api.requests.append((self.command, self.path))
        if api.refuses or self.headers["Authorization"] != f"Bearer {api.token}":
            self._answer(api.refuses or 401, b'{"kind": "Status"}')
        elif "watch" in query:
            self._stream(api.events(url.path, int(query["resourceVersion"])))
        else:
            self._answer(200, json.dumps(api.listed(url.path, query)).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, lines: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            for line in lines:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Nothing is printed."""


def _line(what: str, item: Object) -> bytes:
    return json.dumps({"type": what, "object": item}).encode() + b"\n"


@contextmanager
def pod_api(directory: Path) -> Iterator[PodApi]:
    """One that lives as long as the block; `directory` is the service account's folder too."""
    api = PodApi(directory)
    try:
        yield api
    finally:
        api.close()


def pod(name: str, uid: str, namespace: str = "demo", **more: Any) -> Object:
    """A pod of the API. `labels`, `annotations`, `owners`, `spec`, `status`."""
    about = {"namespace": namespace, "name": name, "uid": uid, "labels": more.get("labels", {}), "annotations": more.get("annotations", {})}
    about["ownerReferences"] = more.get("owners", [])
    return {"kind": "Pod", "metadata": about, "spec": more.get("spec", {}), "status": more.get("status", {})}


def namespace(name: str, **labels: str) -> Object:
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}
