"""What is answered to whom, and that nobody keeps others from being answered."""

import os
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from support.asked_port import asked
from support.tls_directories import authority, tls_directory

from chaperone.agent.health.port import AT_ONCE, Port, Told, context_of
from chaperone.agent.health.report import Report
from chaperone.collector.identity.certificates import Subject


def told(report: Report, silence_s: float = 0.0) -> Told:
    made = Told()
    made.hear(report)
    made._heard -= silence_s
    return made


GOOD = Report(True, True, "a 1\n")


def test_an_agent_that_says_nothing_stands_still() -> None:
    assert told(GOOD).answer("/readyz", False)[0] == HTTPStatus.OK
    assert told(GOOD, 20).answer("/readyz", False)[0] == HTTPStatus.SERVICE_UNAVAILABLE
    assert told(GOOD, 20).answer("/healthz", False)[0] == HTTPStatus.OK
    assert told(GOOD, 70).answer("/healthz", False)[0] == HTTPStatus.SERVICE_UNAVAILABLE


def test_before_its_first_word_it_is_not_ready_and_lives() -> None:
    assert Told().answer("/readyz", False)[0] == HTTPStatus.SERVICE_UNAVAILABLE
    assert Told().answer("/healthz", False)[0] == HTTPStatus.OK


def test_numbers_are_for_those_who_are_known() -> None:
    assert told(GOOD).answer("/metrics", False) == (HTTPStatus.FORBIDDEN, "show a certificate\n")
    assert told(GOOD).answer("/metrics", True) == (HTTPStatus.OK, "a 1\n")
    assert told(GOOD).answer("/", True)[0] == HTTPStatus.NOT_FOUND


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    folder = tls_directory(tmp_path / "agent", authority(), Subject("chaperone-agent"))
    (tmp_path / "both").write_bytes((folder / "tls.crt").read_bytes() + (folder / "tls.key").read_bytes())
    context = context_of(str(tmp_path / "both"), str(folder / "ca.crt"))
    with Port(socket.create_server(("127.0.0.1", 0)), context, told(GOOD)) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()


def test_those_who_say_nothing_keep_nobody_out(port: Port) -> None:
    address = port.socket.getsockname()
    idle = [socket.create_connection(address) for _ in range(3 * AT_ONCE)]
    assert asked(address[1], "/readyz") == (200, "ok\n")
    assert len(port._open) <= AT_ONCE + 1
    for one in idle:
        one.close()


def test_what_is_no_request_hurts_nobody(port: Port) -> None:
    address = port.socket.getsockname()
    for data in (b"GET /readyz HTTP/1.1\r\n\r\n", os.urandom(1000), b""):
        with socket.create_connection(address) as client:
            client.sendall(data)
    assert asked(address[1], "/readyz") == (200, "ok\n")
    assert asked(address[1], "/" + "x" * 70000)[0] == 414
