"""Plaintext of a governed program that no socket of it carries: it may be anything but what is sent, so it is not allowed for long."""

import subprocess
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import ask
from support.governed_run import HEAD, asked, said, storing, variables
from support.holding import DENY_DELETE
from support.kernel import skip_without_kernel

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
CLIENT = """
import os, re, socket, ssl, sys, threading, time
PORT = int(os.environ["PORT"])
REQUEST = f"GET /api/v1/namespaces/default/pods HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {os.environ['TOKEN']}\\r\\n\\r\\n".encode()

def connected():
    return socket.create_connection(("127.0.0.1", PORT))

def pump(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)

def through_another_process():
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        outside = connected()
        threading.Thread(target=pump, args=(outside, theirs), daemon=True).start()
        pump(theirs, outside)
        os._exit(0)
    theirs.close()
    return ours

way = through_another_process() if sys.argv[1] == "relayed" else connected()
read, written = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context(cafile=os.environ["CA"]).wrap_bio(read, written, server_hostname="127.0.0.1")

def done(call):
    while True:
        try:
            result = call()
        except ssl.SSLWantReadError:
            result = None
        way.sendall(written.read())
        if result is not None:
            return result
        read.write(way.recv(65536))

def answered():
    answer = b""
    while not (head := re.search(rb"(?is)content-length: *([0-9]+).*?\\r\\n\\r\\n", answer)) or len(answer) < head.end() + int(head[1]):
        answer += done(lambda: tls.read(65536))
    return answer.split()[1].decode()

done(lambda: tls.do_handshake() or 1)
for _ in range(4):
    done(lambda: tls.write(REQUEST))
    print(answered(), flush=True)
    time.sleep(1.5)
"""
SCRIPT = 'eval "$SAID"; said relayed $PYTHON -c "$CLIENT" relayed; said own $PYTHON -c "$CLIENT" own'


def test_what_reaches_no_socket_of_its_program_ends(tmp_path: Path, apiserver: ApiServer) -> None:
    skip_without_kernel()
    head = HEAD.replace("uncovered: deny\n", "uncovered: allow\n")  # else its connection does not even begin
    with storing(tmp_path):
        environment = variables(tmp_path, apiserver, {"CLIENT": CLIENT})
        command = asked(tmp_path, DENY_DELETE, ["sh", "-c", SCRIPT], head)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        [session] = ask(tmp_path / "store", "sessions.show", session="latest")
    assert said(tmp_path, "own")[:2] == (0, "200\n" * 4), said(tmp_path, "own")
    status, out, err = said(tmp_path, "relayed")
    assert (status, out) == (1, "200\n" * 2), err
    assert len(apiserver.requests()) == 6
    assert [note["text"] for note in session["notes"] if "no proof that they were sent" in note["text"]]
