"""`uncovered: deny`: TLS that no probe tells of does not leave, and what one tells of leaves as ever."""

import ssl
import sys
from dataclasses import replace

import pytest
from support.c_peer import built
from support.enforced import DENYING, Enforced, client, enforced
from support.tls_server import TlsServer

from chaperone.agent.sockets.layout import Denied
from chaperone.agent.sockets.values import SocketDenied

pytestmark = pytest.mark.kernel
COVERING = replace(DENYING, covers=True)
ASK = 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)\n'
HIDDEN = ("-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--exclude-libs,ALL", "-l:libssl.a", "-l:libcrypto.a")
MANY = """
import threading
def work():
    one = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
    for size in (0, 3, 20000):
        for _ in range(3): one.sendall(b"%d 5\\n" % size + bytes(size)); assert len(one.recv(5)) == 5
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done", flush=True)
"""
ASYNCIO = """
import asyncio
async def ask():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]), ssl=context, server_hostname="127.0.0.1")
    for _ in range(3):
        writer.write(b"0 5\\n")
        await reader.readexactly(5)
    writer.close()
async def main(): await asyncio.gather(*(ask() for _ in range(6)))
asyncio.run(main())
print("done", flush=True)
"""
BY_ITSELF = "import ctypes\nhidden = ctypes.CDLL(sys.argv[3])\n"
WHILE_ANOTHER_SHAKES_HANDS = """
shaking = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="127.0.0.1")
try: shaking.do_handshake()
except ssl.SSLWantReadError: pass
"""
WITH_CERTIFICATE = """
context.load_cert_chain(sys.argv[2], sys.argv[2].replace("cert.pem", "key.pem"))
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
"""


def denied(it: Enforced) -> list[Denied]:
    return [value.why for value in it.values if isinstance(value, SocketDenied)]


def sent(server: TlsServer) -> bytes:
    return b"".join(out for out, _ in server.finished())


@pytest.mark.parametrize("program", [MANY, ASYNCIO], ids=["threads", "asyncio"])
def test_what_probes_tell_of_leaves(tracer, server, program) -> None:
    with enforced(tracer, COVERING) as it:
        assert it.run(client(server, program)) == (0, "done\n")
        assert not denied(it)


def test_a_clients_certificate_may_leave_too(tracer, server) -> None:
    server.context.load_verify_locations(server.certificate)
    server.context.verify_mode = ssl.CERT_REQUIRED
    with enforced(tracer, COVERING) as it:
        assert it.run(client(server, "tls.close()\n" + WITH_CERTIFICATE + ASK)) == (0, "5\n")
        assert not denied(it)


def test_a_program_without_a_library_that_we_know_does_not_even_begin(tracer, server, tmp_path) -> None:
    program = built("stays", tmp_path, "-static", "-s", "-lssl", "-lcrypto")
    with enforced(tracer, COVERING) as it:
        status, _ = it.run([str(program), str(server.port), str(server.certificate)])
        assert status and (denied(it), sent(server)) == ([Denied.HELLO], b"")


def test_a_librarys_own_tls_beside_one_that_is_read_does_not_begin(tracer, server, tmp_path) -> None:
    hidden = built("hidden_tls", tmp_path, *HIDDEN)
    with enforced(tracer, COVERING) as it:
        argv = [*client(server, ASK + BY_ITSELF + "print(hidden.ask(int(sys.argv[1])), flush=True)\n" + ASK), str(hidden)]
        assert it.run(argv) == (0, "5\n-2\n5\n")
        assert (denied(it), sent(server)) == ([Denied.HELLO], b"0 5\n0 5\n")


def test_nor_does_it_say_anything_where_another_vouches_for_its_beginning(tracer, server, tmp_path) -> None:
    hidden = built("hidden_tls", tmp_path, *HIDDEN)
    program = ASK + WHILE_ANOTHER_SHAKES_HANDS + BY_ITSELF + "print(hidden.ask(int(sys.argv[1])) < 5, flush=True)\n"
    with enforced(tracer, COVERING) as it:
        assert it.run([*client(server, program), str(hidden)]) == (0, "5\nTrue\n")
        assert (denied(it), sent(server)) == ([Denied.BYTES], b"0 5\n")


def test_elsewhere_it_may_speak(tracer, server, tmp_path) -> None:
    program = built("stays", tmp_path, "-static", "-s", "-lssl", "-lcrypto")
    with enforced(tracer, DENYING) as it:
        assert it.run(["sh", "-c", f"{program} {server.port} {server.certificate} </dev/null"])[0] == 0
        assert (denied(it), sent(server)) == ([], b"5 7\nhello")


def test_what_is_no_tls_leaves(tracer, server) -> None:
    program = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'GET /\\r\\n\\r\\n'); s.recv(1)"
    )
    with enforced(tracer, COVERING) as it:
        assert it.run([sys.executable, "-c", program, str(server.port)])[0] in (0, 1) and not denied(it)
