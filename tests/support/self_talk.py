"""A program that talks to itself over TLS, always between the same addresses: `self_talk.py PORT CERTIFICATE KEY TEXT`.

The client is PORT + 1 and says TEXT, the server answers with its reverse.
"""

import socket
import ssl
import sys
import threading

HOST = "127.0.0.1"


def answer(listener: socket.socket, certificate: str, key: str) -> None:
    """One client, once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with context.wrap_socket(listener.accept()[0], server_side=True) as secured:
        secured.sendall(secured.recv(1000)[::-1])


def main(port: int, certificate: str, key: str, text: str) -> int:
    """Say and hear it."""
    listener = socket.create_server((HOST, port))
    server = threading.Thread(target=answer, args=(listener, certificate, key))
    server.start()
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    plain.bind((HOST, port + 1))
    plain.connect((HOST, port))
    with ssl.create_default_context(cafile=certificate).wrap_socket(plain, server_hostname=HOST) as client:
        client.sendall(text.encode())
        heard = client.recv(1000)
    server.join()
    return 0 if heard == text.encode()[::-1] else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:5]))
