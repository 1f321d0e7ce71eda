"""openssl s_server, for what Python's ssl module has no switch for."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.tls_server import make_certificate


@dataclass
class Server:
    """`printed`: everything that it got, once it has ended."""

    port: int
    certificate: Path
    printed: bytes = b""


@contextmanager
def s_server(directory: Path, *options: str) -> Iterator[Server]:
    """Serves TLS 1.3 as long as the block lasts."""
    certificate, key = make_certificate(directory)
    argv = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-tls1_3", *options]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin and process.stdout
        line = b""
        while not line.startswith(b"ACCEPT "):
            line = process.stdout.readline()
        server = Server(int(line.rpartition(b":")[2]), certificate)

        def read() -> None:
            server.printed = process.stdout.read()  # type: ignore[union-attr]

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield server
        finally:
            process.terminate()
            reader.join()
