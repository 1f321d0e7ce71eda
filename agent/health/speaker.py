"""The process that says something known over TLS, to itself: `python -m chaperone.agent.health.speaker FD`.

FD is a file with a certificate and its key. The client says the line that comes on stdin, the server answers with its reverse, on one
connection to the loopback. Ends with 0 when each has heard the other. It has no privilege.
"""

import resource
import signal
import socket
import ssl
import sys

from chaperone.agent.confine import confine

PATIENCE_S = 60
LINE_LIMIT = 256
HOST = "127.0.0.1"
LIMITS = {
    resource.RLIMIT_AS: 1 << 30,
    resource.RLIMIT_NOFILE: 16,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}


def contexts(file: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, and that of a client who trusts nobody else."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(file)
    client.check_hostname = False
    client.load_verify_locations(file)
    return server, client


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection: the server's, the client's."""
    with socket.create_server((HOST, 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        return listening.accept()[0], client


def shake_hands(*ends: ssl.SSLSocket) -> None:
    """One thread for both: each goes on when the other has said something."""
    waiting = list(ends)
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)


def talk(server: ssl.SSLSocket, client: ssl.SSLSocket, question: bytes) -> bool:
    """Whether each heard the other."""
    client.sendall(question)
    heard = heard_by(server, len(question))
    server.sendall(heard[::-1])
    return heard == question and heard_by(client, len(question)) == question[::-1]


def heard_by(end: ssl.SSLSocket, size: int) -> bytes:
    """So many bytes."""
    heard = b""
    while len(heard) < size and (part := end.recv(size - len(heard))):
        heard += part
    return heard


def main(arguments: list[str]) -> int:
    """Wait to be told what to say, say it."""
    signal.alarm(PATIENCE_S)
    of_server, of_client = contexts(f"/proc/self/fd/{arguments[0]}")
    confine(LIMITS, keeps_network=True)
    question = sys.stdin.buffer.readline(LINE_LIMIT)
    plain = connected()
    for end in plain:
        end.setblocking(False)
    server = of_server.wrap_socket(plain[0], server_side=True, do_handshake_on_connect=False)
    client = of_client.wrap_socket(plain[1], do_handshake_on_connect=False)
    shake_hands(client, server)
    for end in (server, client):
        end.setblocking(True)
    return 0 if talk(server, client, question) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
