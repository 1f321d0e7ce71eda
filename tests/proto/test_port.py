"""That nobody keeps others from being answered."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.asked_port import asked
from support.tls_directories import authority, tls_directory

from chaperone.collector.identity.certificates import Subject
from chaperone.proto.port import AT_ONCE, Port, context_of, listening_at, word


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    folder = tls_directory(tmp_path / "agent", authority(), Subject("chaperone-agent"))
    (tmp_path / "both").write_bytes((folder / "tls.crt").read_bytes() + (folder / "tls.key").read_bytes())
    context = context_of(folder / "ca.crt", tmp_path / "both")
    with Port(socket.create_server(("127.0.0.1", 0)), context, lambda asked: word(asked.path == "/readyz")) as made:
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


def test_it_listens_where_it_is_told_or_everywhere() -> None:
    with listening_at(("127.0.0.1", 0)) as one, listening_at(("", 0)) as all_:
        assert one.getsockname()[0] == "127.0.0.1"
        socket.create_connection(("127.0.0.1", all_.getsockname()[1])).close()
    with pytest.raises(OSError, match="in use"), listening_at(("127.0.0.1", 0)) as taken:
        listening_at(taken.getsockname())
