"""A TLS server that answers what it is asked for and keeps both directions of every connection, byte for byte."""

import errno
import random
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

PORTS = range(20_000, 32_000)  # below those that kernels give out, whose last owners' clients may still try to reach them


@dataclass
class Conversation:
    """What one client sent (`out`) and was sent (`into`)."""

    out: bytes = b""
    into: bytes = b""
    peer: int = 0  # the client's port
    shook_hands: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    tls: ssl.SSLSocket | None = None


class TlsServer:
    """Reads `SIZE ANSWER\\n` and SIZE bytes, answers with ANSWER bytes, as often as asked; or an HTTP GET."""

    def __init__(self, directory: Path, host: str = "127.0.0.1") -> None:
        self.certificate, key = make_certificate(directory)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.listener = listening(host)
        self.port: int = self.listener.getsockname()[1]
        self.conversations: list[Conversation] = []
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def finished(self) -> list[tuple[bytes, bytes]]:
        """(OUT, IN) of each connection, once its client has closed it. Not of others' that were meant for who had our port before."""
        assert all(one.done.wait(60) for one in self.conversations)
        return [(one.out, one.into) for one in self.conversations if one.shook_hands]

    def close(self) -> None:
        """Accept no more. Closing alone would leave the thread in accept(), which goes on with whatever has that number next."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()
        for tls in (one.tls for one in self.conversations if one.tls):
            with suppress(OSError):
                socket.socket.shutdown(tls, socket.SHUT_RDWR)  # of a client that is kept silent nobody hears the end

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            conversation = Conversation(peer=peer[1])
            self.conversations.append(conversation)
            threading.Thread(target=self._serve, args=(connection, conversation), daemon=True).start()

    def _serve(self, connection: socket.socket, conversation: Conversation) -> None:
        try:
            with self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
                conversation.tls = tls
                tls.do_handshake()
                conversation.shook_hands = True
                self._converse(tls, conversation)
        except OSError:
            connection.close()
        finally:
            conversation.done.set()

    def _converse(self, tls: ssl.SSLSocket, conversation: Conversation) -> None:
        with tls.makefile("rb") as stream:
            while line := stream.readline():
                conversation.out += line
                if line.startswith(b"GET "):
                    reply = self._http(stream, conversation)
                else:
                    size, answer = map(int, line.split())
                    conversation.out += stream.read(size)
                    reply = patterned(answer, len(conversation.into))
                conversation.into += reply
                tls.sendall(reply)

    def _http(self, stream: BufferedReader, conversation: Conversation) -> bytes:
        line = b""
        while line != b"\r\n":
            line = stream.readline()
            conversation.out += line
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def listening(host: str) -> socket.socket:
    """On a port that had no other owner lately."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in random.sample(PORTS, len(PORTS)):
        try:
            return socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"every port from {PORTS[0]} to {PORTS[-1]} is taken")


def libssl() -> str:
    """The libssl of this interpreter, mapped since this module imports ssl."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return next(line.split()[-1] for line in lines if "/libssl" in line)


def patterned(size: int, start: int = 0) -> bytes:
    """Bytes of which no two neighbouring blocks are equal, so that a swap or a repetition shows."""
    words = range(start // 8, (start + size) // 8 + 2)
    return b"".join(word.to_bytes(8, "big") for word in words)[start % 8 :][:size]


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *curve, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@contextmanager
def tls_server(directory: Path, host: str = "127.0.0.1") -> Iterator[TlsServer]:
    """A server that accepts as long as the block lasts."""
    server = TlsServer(directory, host)
    try:
        yield server
    finally:
        server.close()
