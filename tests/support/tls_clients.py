"""Small TLS clients for live tests: each is a program of its own, run as `python -c`, that talks to tls_server.py."""

import sys
from pathlib import Path

START = """
import asyncio, os, socket, ssl, sys, threading
PORT, CERT = int(sys.argv[1]), sys.argv[2]
def connect():
    context = ssl.create_default_context(cafile=CERT)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", PORT)), server_hostname="127.0.0.1")
def ask(tls, size, answer):
    tls.sendall(b"%d %d\\n" % (size, answer) + os.urandom(size))
    while answer:
        answer -= len(tls.recv(min(answer, 65536)))
"""
SYNC = "tls = connect()\nfor size, answer in {sizes}: ask(tls, size, answer)\ntls.unwrap()\n"
THREADS = """
def work():
    tls = connect()
    for _ in range(50): ask(tls, 1000, 3000)
    tls.close()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
ASYNCIO = """
async def work(sizes):
    context = ssl.create_default_context(cafile=CERT)
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT, ssl=context, server_hostname="127.0.0.1")
    for size, answer in sizes:
        writer.write(b"%d %d\\n" % (size, answer) + os.urandom(size))
        await writer.drain()
        await reader.readexactly(answer)
    writer.close()
    await writer.wait_closed()
async def main(): await asyncio.gather(*(work({sizes}) for _ in range(3)))
asyncio.run(main())
"""
# At least 20 objects, and on until the allocator gives an address again: CPython's ssl object has its SSL * behind two pointers.
REUSED = """
import ctypes
context = ssl.create_default_context(cafile=CERT)
handles = []
while len(handles) < 20 or (len(set(handles)) == len(handles) < 1000):
    plain = socket.create_connection(("127.0.0.1", PORT))
    tls = context.wrap_socket(plain, server_hostname="127.0.0.1")
    handles.append(ctypes.c_void_p.from_address(id(tls._sslobj) + 24).value)
    ask(tls, len(handles), len(handles) + 1)
    tls.close()
    del tls
"""
FORK = """
tls = connect()
ask(tls, 100, 100)
if os.fork() == 0:
    ask(tls, 200, 200)
    os._exit(0)
os.wait()
"""


def command(program: str, port: int, certificate: Path) -> list[str]:
    """The command line of a client that runs `program`."""
    return [sys.executable, "-c", START + program, str(port), str(certificate)]
