"""A local TLS API server that answers as a kube-apiserver did in recordings: for the demo and for tests.

    python deploy/demo/apiserver.py --dir DIR [--port 0] [--log-plaintext]

Makes its own CA and certificate and writes DIR/kubeconfig (and DIR/token, DIR/ca.crt). Prints one line of JSON when it is
ready: {"port": …, "kubeconfig": …}. Speaks HTTP/2 and HTTP/1.1 by ALPN, WebSocket for exec and port-forward. Every request becomes a line
of DIR/requests.jsonl; with --log-plaintext the bytes of connection n are in DIR/plaintext/n.out (from the client), n.in.
Besides the recorded API: GET /demo/bytes?size=N[&chunked=1] returns N bytes, POST /demo/swallow answers with the size and
SHA-256 of any body. Nothing in here is secret: all values are planted.
"""

import argparse
import asyncio
import datetime
import itertools
import json
import signal
import ssl
import uuid
from collections.abc import Callable
from pathlib import Path

import certificates
import http1
from api import Api
from asked import Answer, Asked
from http2 import Connection
from recorded import Recorded
from wire_log import Wire


class Server:
    """Accepts connections, numbers them and writes down what was asked."""

    def __init__(self, directory: Path, api: Api, log_plaintext: bool) -> None:
        self._api = api
        self._requests = (directory / "requests.jsonl").open("a", buffering=1)
        self._plaintext = directory / "plaintext" if log_plaintext else None
        if self._plaintext:
            self._plaintext.mkdir(exist_ok=True)
        self._numbers = itertools.count(1)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        number = next(self._numbers)
        wire = Wire(reader, writer, self._plaintext / str(number) if self._plaintext else None)
        finish = self._finish(number)
        try:
            if wire.alpn == "h2":
                await Connection(wire, self._api.answer, finish).serve()
            else:
                await http1.serve(wire, self._api.answer, finish)
        except ConnectionError:
            pass  # the client left in the middle of an answer: its own business
        finally:
            await wire.close()

    def _finish(self, number: int) -> Callable[[Asked, Answer], dict[str, str]]:
        """Notes a request of one connection and makes the headers every answer has."""

        def finish(asked: Asked, answer: Answer) -> dict[str, str]:
            audit_id = str(uuid.uuid4())
            noted = {"connection": number, "auditID": audit_id, "method": asked.method, "requestURI": asked.target}
            noted |= {"userAgent": asked.header("user-agent"), "code": answer.status}
            self._requests.write(json.dumps(noted) + "\n")
            date = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
            headers = {"Audit-Id": audit_id, "Cache-Control": "no-cache, private", "Content-Type": answer.content_type, "Date": date}
            return headers | answer.headers

        return finish


async def main(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    directory: Path = options.dir
    directory.mkdir(parents=True, exist_ok=True)
    certificates.make(directory)
    api = Api(Recorded(Path(__file__).parent / "answers"), options.pause, options.events)
    server = Server(directory, api, options.log_plaintext)
    listening = await asyncio.start_server(server.accept, "127.0.0.1", options.port, ssl=_context(directory), backlog=200)
    port = listening.sockets[0].getsockname()[1]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(json.dumps({"port": port, "kubeconfig": str(certificates.kubeconfig(directory, port))}), flush=True)  # noqa: T201
    await stop.wait()


def _context(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True, help="where certificate, kubeconfig and logs go")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--events", type=int, default=3, help="how many a watch has")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between the events of a watch")
    parser.add_argument("--log-plaintext", action="store_true", help="write each connection's bytes to DIR/plaintext")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(_options()))
