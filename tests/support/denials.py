"""A program that asks for what is denied and for what is not, in every shape: pipelined, fragmented, chunked, multiplexed, with
continued header blocks, from several threads, over resumed TLS.

    python -m support.denials HOST:PORT CA --count N --seed S [--threads T]

Prints what it sent that is allowed, as the server should have it, and each answer that was not what it should be:
{"sent": [[method, path, size, sha256], …], "denied": N, "wrong": ["…"]}.
"""

import argparse
import hashlib
import http.client
import io
import json
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import h2.connection
import h2.events

ALLOWED, DENIED = "allowed", "denied"
MESSAGE = "denied by policy"
TIMEOUT_S = 120


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    path: str
    body: bytes
    is_chunked: bool
    headers: tuple[tuple[str, str], ...]

    @property
    def is_denied(self) -> bool:
        return f"/{DENIED}/" in self.path

    def as_handled(self) -> list[Any]:
        return [self.method, self.path, len(self.body), hashlib.sha256(self.body).hexdigest()]


@dataclass
class Talk:
    """What one thread says, and what came of it."""

    address: tuple[str, int]
    context: ssl.SSLContext
    random: random.Random
    name: str
    expects_denials: bool = True
    sent: list[list[Any]] = field(default_factory=list)
    denied: int = 0
    wrong: list[str] = field(default_factory=list)
    _session: ssl.SSLSession | None = None
    _number: int = 0

    def run(self, count: int) -> None:
        while self._number < count:
            asks = [self._ask() for _ in range(self.random.randint(1, min(8, count - self._number)))]
            try:
                (self._http2 if self.random.random() < 0.5 else self._http1)(asks)
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{type(error).__name__}: {error}")

    def _ask(self) -> Ask:
        self._number += 1
        chance = self.random
        method = chance.choice(["GET", "POST", "PUT", "DELETE"])
        size = chance.choice([0, 1, 100, 5_000, 40_000]) if method in ("POST", "PUT") else 0
        where = chance.choice([ALLOWED, DENIED])
        long = (("x-long", "y" * 20_000),) if chance.random() < 0.1 else ()
        path = f"/api/v1/namespaces/{where}/configmaps/{self.name}-{self._number}"
        return Ask(method, path, chance.randbytes(size), chance.random() < 0.5, long)

    def _connected(self, protocol: str) -> ssl.SSLSocket:
        plain = socket.create_connection(self.address, TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.context.set_alpn_protocols([protocol])
        session = self._session if self.random.random() < 0.5 else None
        return self.context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)

    def _send(self, tls: ssl.SSLSocket, data: bytes) -> None:
        """In one piece or in fragments."""
        while data:
            size = len(data) if self.random.random() < 0.5 else self.random.randint(1, len(data))
            tls.sendall(data[:size])
            data = data[size:]

    def _http1(self, asks: list[Ask]) -> None:
        with self._connected("http/1.1") as tls:
            source = _Source(tls)
            if self.random.random() < 0.5:
                self._send(tls, b"".join(map(_written1, asks)))
                for ask in asks:
                    self._answered1(ask, source)
            else:
                for ask in asks:
                    self._send(tls, _written1(ask))
                    self._answered1(ask, source)
            self._session = tls.session

    def _answered1(self, ask: Ask, source: "_Source") -> None:
        answer = http.client.HTTPResponse(source, method=ask.method)  # type: ignore[arg-type]
        answer.begin()
        self._judge(ask, answer.status, answer.read())

    def _http2(self, asks: list[Ask]) -> None:
        client = h2.connection.H2Connection()
        with self._connected("h2") as tls:
            client.initiate_connection()
            sending = {client.get_next_available_stream_id() + 2 * at: ask for at, ask in enumerate(asks)}
            left = {number: ask.body for number, ask in sending.items()}
            for number, ask in sending.items():
                client.send_headers(number, _fields2(ask), end_stream=not ask.body)
            answers: dict[int, tuple[int, bytearray]] = {}
            open_ = set(sending)
            while open_:
                self._bodies2(client, left, open_)
                self._send(tls, client.data_to_send())
                data = tls.recv(65_536)
                if not data:
                    self.wrong.append(f"the connection ended with {len(open_)} h2 streams open")
                    return
                for event in client.receive_data(data):
                    self._event2(client, event, answers, open_)
            self._send(tls, client.data_to_send())
            self._session = tls.session
        for number, ask in sending.items():
            status, body = answers.get(number, (0, bytearray()))
            self._judge(ask, status, bytes(body))

    def _bodies2(self, client: h2.connection.H2Connection, left: dict[int, bytes], open_: set[int]) -> None:
        """As much as windows allow, in frames of any size, of all h2 streams in turns."""
        while waiting := [
            number for number, body in left.items() if body and number in open_ and client.local_flow_control_window(number) > 0
        ]:
            number = self.random.choice(waiting)
            most = min(len(left[number]), client.local_flow_control_window(number), client.max_outbound_frame_size)
            size = most if self.random.random() < 0.5 else self.random.randint(1, most)
            piece, left[number] = left[number][:size], left[number][size:]
            client.send_data(number, piece, end_stream=not left[number])

    def _event2(self, client: h2.connection.H2Connection, event: Any, answers: dict[int, tuple[int, bytearray]], open_: set[int]) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            answers[event.stream_id] = int(dict(event.headers)[b":status"]), bytearray()
        elif isinstance(event, h2.events.DataReceived):
            answers[event.stream_id][1].extend(event.data)
            client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.wrong.append(f"h2 stream {event.stream_id} was reset: {event.error_code}")
            open_.discard(event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            open_.discard(event.stream_id)

    def _judge(self, ask: Ask, status: int, body: bytes) -> None:
        if ask.is_denied and self.expects_denials:
            self.denied += 1
            if status != 403 or MESSAGE.encode() not in body:
                self.wrong.append(f"{ask.method} {ask.path}: {status} {body[:100]!r}")
            return
        self.sent.append(ask.as_handled())
        if status != 200 or json.loads(body) != {"path": ask.path, "size": len(ask.body)}:
            self.wrong.append(f"{ask.method} {ask.path}: {status} {body[:100]!r}")


class _Source:
    """One buffer for all answers of a connection."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._file = _Open(tls.makefile("rb"))

    def makefile(self, *_: object) -> "_Open":
        return self._file


class _Open(io.BufferedReader):
    """http.client closes what it has read."""

    def __init__(self, file: io.BufferedReader) -> None:
        super().__init__(file.detach())

    def close(self) -> None:
        return


def _written1(ask: Ask) -> bytes:
    lines = [f"{ask.method} {ask.path} HTTP/1.1", "Host: api", "Content-Type: application/octet-stream"]
    lines += [f"{name}: {value}" for name, value in ask.headers]
    if not ask.body:
        return "\r\n".join([*lines, *(["Content-Length: 0"] if ask.method in ("POST", "PUT") else []), "", ""]).encode()
    if not ask.is_chunked:
        return "\r\n".join([*lines, f"Content-Length: {len(ask.body)}", "", ""]).encode() + ask.body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in _halves(ask.body))
    return "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode() + chunks + b"0\r\n\r\n"


def _halves(body: bytes) -> Iterator[bytes]:
    middle = len(body) // 2
    yield from filter(None, (body[:middle], body[middle:]))


def _fields2(ask: Ask) -> list[tuple[str, str]]:
    fields = [(":method", ask.method), (":scheme", "https"), (":authority", "api"), (":path", ask.path)]
    return [*fields, ("content-type", "application/octet-stream"), *ask.headers]


def talk(address: tuple[str, int], ca: str, count: int, seed: int, threads: int = 1, expects_denials: bool = True) -> dict[str, Any]:
    """So many requests from so many threads, and what came of them."""
    talks = [
        Talk(address, ssl.create_default_context(cafile=ca), random.Random(seed * 1000 + n), f"{seed}-{n}", expects_denials)
        for n in range(threads)
    ]
    running = [threading.Thread(target=each.run, args=(count // threads,)) for each in talks]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    sent = [one for each in talks for one in each.sent]
    return {"sent": sent, "denied": sum(each.denied for each in talks), "wrong": [text for each in talks for text in each.wrong]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("ca")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--observed", action="store_true", help="nothing is denied")
    given = parser.parse_args()
    host, _, port = given.address.rpartition(":")
    print(json.dumps(talk((host, int(port)), given.ca, given.count, given.seed, given.threads, not given.observed)))


if __name__ == "__main__":
    main()
