import asyncio
import socket
from pathlib import Path

import grpc
import pytest
from support.tls_directories import SERVER, authority, tls_directory

from chaperone.collector.serve.doors import DoorError, open_doors
from chaperone.collector.serve.doors import _read as read
from chaperone.collector.serve.doors import _renewed as renewed
from chaperone.collector.settings import Listening


def opened(listening: Listening) -> None:
    async def run() -> None:
        server = grpc.aio.server()
        try:
            open_doors(server, listening)
        finally:
            await server.stop(0)

    asyncio.run(run())


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    tls = tls_directory(tmp_path / "tls", authority(), SERVER)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DoorError, match=f"cannot listen on {address}: .*somebody else listens there"):
            opened(Listening(tls, certified=address))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DoorError, match=r"tls\.key: No such file"):
        opened(Listening(tmp_path, by_token="127.0.0.1:0"))


def test_nothing_is_opened_unless_asked_for(tmp_path: Path) -> None:
    opened(Listening(tmp_path))


def test_grpc_is_given_certificates_only_when_they_changed(tmp_path: Path) -> None:
    parent = authority()
    directory = tls_directory(tmp_path / "tls", parent, SERVER)
    files = read(directory)
    asked = renewed(directory, files)
    assert asked() is None
    tls_directory(directory, parent, SERVER)
    assert asked() is not None
    assert asked() is None
    (directory / "tls.crt").unlink()
    assert asked() is None
