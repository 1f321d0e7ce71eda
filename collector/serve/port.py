"""A collector's port for those who watch over it.

| | asked by | |
| --- | --- | --- |
| `/readyz` | anybody: a kubelet has no certificate | 200 or 503, and no word more |
| `/metrics` | clients with a certificate of our authority | Prometheus's formats |
"""

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from chaperone.collector.identity.folder import CERTIFICATE, KEY, TRUSTED
from chaperone.collector.serve.doors import DoorError
from chaperone.collector.serve.metrics import Families, exposed
from chaperone.proto.port import UNKNOWN, Answer, Asked, Port, context_of, listening_at, word

POLL_S = 0.1


class WatchPort:
    """Serves in threads. `is_ready` is asked from any of them. DoorError when it can't."""

    def __init__(self, address: str, tls: Path, families: Families, is_ready: Callable[[], bool]) -> None:
        self._tls, self._families, self._is_ready = tls, families, is_ready
        try:
            self._context = context_of(tls / TRUSTED, tls / CERTIFICATE, tls / KEY)
            self._server = Port(listening_at(_parted(address)), self._context, self._answer)
        except (OSError, ValueError) as error:
            raise DoorError(f"cannot serve metrics on {address}: {error}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Its number."""
        return int(self._server.socket.getsockname()[1])

    @property
    def family(self) -> int:
        """Of its addresses."""
        return self._server.socket.family

    def renew(self) -> None:
        """Use our certificate as it is now; one that is just being replaced, the next time."""
        with suppress(OSError, ssl.SSLError):
            self._context.load_cert_chain(self._tls / CERTIFICATE, self._tls / KEY)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, asked: Asked) -> Answer:
        match asked.path.partition("?")[0]:
            case "/readyz":
                return word(self._is_ready())
            case "/metrics":
                return Answer(HTTPStatus.OK, *exposed(self._families, asked.accepts)) if asked.is_known else UNKNOWN
        return Answer(HTTPStatus.NOT_FOUND, b"there is /readyz and /metrics\n")


def _parted(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return ("" if host == "::" else host, int(port))
