"""ClickHouse's HTTP interface in front of the embedded engine: `python -m support.clickhouse_server DIRECTORY`, which prints its port.

No server can be had here, so tests of the engine by URL talk to this one. It is a real HTTP server with the same ClickHouse behind it, and
knows what a client needs: POST of statements in the body, in the query string or in a form, `database`, `param_…`, settings, basic
authentication, errors with their code. What it is not: concurrent (a statement at a time), TLS, replicated.
`CHAPERONE_CLICKHOUSE_URL` runs the same tests against a real server.
"""

import base64
import email.parser
import email.policy
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chaperone.collector.store.embedded import Embedded
from chaperone.collector.store.engine import StoreError

USER, PASSWORD = "recorder", "over the wire"
TRANSPORT = {"database", "query", "session_id", "query_id", "wait_end_of_query", "client_protocol_version", "send_progress_in_http_headers"}
TRANSPORT |= {"http_headers_progress_interval_ms", "enable_http_compression", "default_format", "compress", "decompress"}
_PARAMETER = "param_"


class Served(Embedded):
    """The engine, and what a session of it was set to."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.lock, self._settings = threading.Lock(), dict[str, str]()

    def answer(self, given: dict[str, str], body: bytes) -> bytes:
        """Of one request. RuntimeError with the engine's own words."""
        statement = given.get("query", "").encode() + (b"\n" if given.get("query") and body else b"") + body
        with self.lock:
            self._session.query(f"USE {given.get('database') or 'default'}")
            for name, value in given.items():
                if name not in TRANSPORT and not name.startswith(_PARAMETER) and self._settings.get(name) != value:
                    self._session.query(f"SET {name} = '{value}'")
                    self._settings[name] = value
            bound = {name.removeprefix(_PARAMETER): value for name, value in given.items() if name.startswith(_PARAMETER)}
            answer: bytes = self._session.query(statement, given.get("default_format", "TabSeparated"), params=bound).bytes()
            return answer


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    served: Served

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get_content_maintype() == "multipart":
            given, body = given | _form(self.headers["Content-Type"], body), b""
        if format_ := self.headers.get("X-ClickHouse-Format"):
            given["default_format"] = format_
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            self._fail("Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
            return
        try:
            answer = self.served.answer(given, body)
        except RuntimeError as error:
            self._fail(str(error))
        else:
            self._answer(200, answer)

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""

    def _fail(self, text: str) -> None:
        code = re.search(r"Code: (\d+)", text)
        self._answer(500, text.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "X-ClickHouse-Summary": "{}", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _form(kind: str, body: bytes) -> dict[str, str]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in message.iter_parts()}
    return {str(name): data.decode() for name, data in parts.items() if isinstance(data, bytes)}


@contextmanager
def clickhouse(directory: Path) -> Iterator[str]:
    """Its URL, without a database."""
    command = [sys.executable, "-m", __name__, str(directory)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        line = process.stdout.readline()
        try:
            assert line, "the server did not start"
            yield f"http://127.0.0.1:{int(line)}"
        finally:
            process.kill()


def login(directory: Path) -> Path:
    """A directory with what the server wants to be shown."""
    directory.mkdir(exist_ok=True)
    (directory / "username").write_text(USER)
    (directory / "password").write_text(PASSWORD + "\n")
    return directory


def main() -> None:
    try:
        Handler.served = Served(Path(sys.argv[1]))
    except StoreError as error:
        raise SystemExit(str(error)) from None
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # until whoever started this is gone


if __name__ == "__main__":
    main()
