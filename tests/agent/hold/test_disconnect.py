import os
import socket
from contextlib import suppress

from chaperone.agent.ending.ends import SO_COOKIE
from chaperone.agent.hold.disconnect import LIMIT, Sockets
from chaperone.agent.sockets.values import SocketClosing, SocketHello, SocketOpened, SocketTied
from chaperone.proto.records import Direction

PID = os.getpid()


def connected() -> tuple[socket.socket, socket.socket, int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return client, server, int.from_bytes(client.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")


def known(*cookies: int, pid: int = PID) -> Sockets:
    sockets = Sockets()
    for cookie in cookies:
        sockets.saw(SocketOpened(pid, 1, 1, 1, cookie, "", "", "tcp"))
        sockets.saw(SocketHello(cookie, Direction.OUT, b"", 1))
    return sockets


def test_the_objects_own_connection_ends_and_no_other() -> None:
    (ours, server, cookie), (other, _other_server, other_cookie) = connected(), connected()
    sockets = known(cookie, other_cookie)
    assert sockets.shut(PID, 7) == "its socket is not known"
    sockets.saw(SocketTied(PID, 1, 1, 7, cookie))
    assert sockets.shut(PID, 7) == "" and server.recv(1) == b"" and ours.recv(1) == b""
    other.sendall(b"x")


def test_the_only_one_is_known_before_it_is_tied() -> None:
    client, server, cookie = connected()
    assert known(cookie).shut(PID, 7) == "" and server.recv(1) == b""
    client.close()
    assert known(cookie).shut(PID, 7) == "its socket is gone"


def test_one_that_another_object_has_or_that_is_closing_is_not_taken() -> None:
    _client, _server, cookie = connected()
    sockets = known(cookie)
    sockets.saw(SocketTied(PID, 1, 1, 8, cookie))
    assert sockets.shut(PID, 7) == "its socket is not known"
    sockets = known(cookie)
    sockets.saw(SocketClosing(cookie, 1))
    assert sockets.shut(PID, 7) == "its socket is not known"


def test_what_a_socket_has_not_sent_yet_is_known_once_it_is_tied() -> None:
    """To somebody who reads nothing."""
    client, _server, cookie = connected()
    sockets = known(cookie)
    assert sockets.queued(PID, 7) is None
    sockets.saw(SocketTied(PID, 1, 1, 7, cookie))
    assert sockets.queued(PID, 7) == 0
    client.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            client.send(bytes(1 << 20))
    assert (sockets.queued(PID, 7) or 0) > 0
    client.close()
    assert sockets.queued(PID, 7) is None


def test_of_a_process_that_is_gone_nothing_can_be_reached() -> None:
    assert known(1, pid=2**22 - 1).shut(2**22 - 1, 7).startswith("its socket cannot be reached")


def test_it_remembers_no_more_than_its_limit() -> None:
    sockets = known(*range(LIMIT + 10))
    assert len(sockets._untied) == LIMIT
