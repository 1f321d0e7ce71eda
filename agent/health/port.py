"""The process that answers how the agent is, over TLS, without any privilege.

`python -m chaperone.agent.health.port LISTENING CERTIFICATE AUTHORITY`: descriptors of a listening socket and of two files. The agent is at
the other end of stdin, and says again and again how it is; when it says nothing, it stands still. We end with it.

| | asked by | |
| --- | --- | --- |
| `/healthz`, `/readyz` | anybody: a kubelet has no certificate | 200 or 503, and no word more |
| `/metrics` | clients with a certificate of our authority | Prometheus's text format |
"""

import os
import resource
import signal
import socket
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path

from chaperone.agent.child import word_of
from chaperone.agent.confine import confine
from chaperone.agent.health.report import SIZE_LIMIT, Report, unpacked
from chaperone.proto.port import UNKNOWN, Answer, Asked, Port, context_of, word

READY_S, ALIVE_S = 15.0, 60.0  # without a word from the agent
LIMITS = {
    resource.RLIMIT_AS: 2 << 30,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}


class Told:
    """What the agent said last, and when."""

    def __init__(self) -> None:
        self._report, self._heard = Report(False, True, ""), time.monotonic()

    def hear(self, report: Report) -> None:
        """The next word."""
        self._report, self._heard = report, time.monotonic()

    def answer(self, asked: Asked) -> Answer:
        """To one question."""
        report, silence_s = self._report, time.monotonic() - self._heard
        match asked.path:
            case "/readyz":
                return word(report.is_ready and silence_s < READY_S)
            case "/healthz":
                return word(report.is_alive and silence_s < ALIVE_S)
            case "/metrics":
                return Answer(HTTPStatus.OK, report.metrics.encode()) if asked.is_known else UNKNOWN
        return Answer(HTTPStatus.NOT_FOUND, b"there is /healthz, /readyz and /metrics\n")


def main(arguments: list[str]) -> None:
    """Answer until the agent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listening, certificate, authority = map(int, arguments)
    context = context_of(*(Path(f"/proc/self/fd/{file}") for file in (authority, certificate)))
    confine(LIMITS, keeps_network=True)
    agent, told = socket.socket(fileno=0), Told()
    port = Port(socket.socket(fileno=listening), context, told.answer)
    threading.Thread(target=port.serve_forever, name="port", daemon=True).start()
    while data := word_of(agent, SIZE_LIMIT):
        told.hear(unpacked(data))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
