"""Live: of a program's environment nothing is ever read, and nothing of it is in what leaves the agent.

Every record is looked at before it is sealed: what the spool and the wire have is these. The store is test_live_leaks's.
"""

import ctypes
import os
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel
from support.leaks import leaks_in
from support.live_recording import of, recorded
from support.tls_server import TlsServer

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.proto.records import Chunk, ProcessSeen, pack

pytestmark = pytest.mark.kernel
CANARY = b"canary7c20e5nvIr0nm3nt"
IN_OPEN = 0x20
libc = ctypes.CDLL(None, use_errno=True)
CLIENT = """
import os, socket, ssl, subprocess, sys, threading
context = ssl.create_default_context(cafile=sys.argv[2])
def talk():
    tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
    tls.sendall(b"10 20\\n" + b"x" * 10)
    got = 0
    while got < 20: got += len(tls.recv(100))
    tls.unwrap()
talk()
thread = threading.Thread(target=talk)
thread.start(); thread.join()
for size in (1, 4000, 5000, 100_000):
    subprocess.run(["/bin/true", "a" * size], check=True)
sys.exit(os.environ["SECRET"] == "")
"""
WAITING = 'echo $$ >"$0" && read _ <"$1" && shift && exec "$@"'


@dataclass
class Watch:
    """Waits for a process that says its number in a FIFO, then counts who opens its environment, and lets it go on.

    What is watched is kept open: so each look-up finds the same inode, on which the kernel tells of every open(2).
    """

    said: Path
    go: Path
    kept: ExitStack = field(default_factory=ExitStack)
    notify: int = field(default_factory=lambda: libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def begin(self) -> None:
        pid = int(self.said.read_text())
        self.files = [Path(f"/proc/{pid}/environ"), Path(f"/proc/{pid}/task/{pid}/environ")]
        for path in self.files:
            self.kept.enter_context(path.open("rb"))
            assert libc.inotify_add_watch(self.notify, str(path).encode(), IN_OPEN) > 0
        self.go.write_text("\n")

    def count(self) -> int:
        """Opens since the last look: struct inotify_event has 16 bytes, and no name when a file is watched."""
        try:
            return len(os.read(self.notify, 4096)) // 16
        except BlockingIOError:
            return 0


def test_the_environment_is_never_read(server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_kernel()
    monkeypatch.setenv("SECRET", CANARY.decode())
    watch = Watch(tmp_path / "said", tmp_path / "go")
    for fifo in (watch.said, watch.go):
        os.mkfifo(fifo)
    begin = threading.Thread(target=watch.begin)
    begin.start()
    argv = ["/bin/sh", "-c", WAITING, watch.said, watch.go, sys.executable, "-c", CLIENT, str(server.port), server.certificate]
    with watch.kept, Tracer(TracerSettings(ring_pages=1024)) as tracer:
        records = recorded(tracer, argv, statuses=[0])
        begin.join()
        assert watch.count() == 0
    sizes = [len(one.argv[1]) for one in of(records, ProcessSeen) if one.argv[:1] == ("/bin/true",)]
    assert min(sizes) == 1 and max(sizes) > 4000
    assert sum(chunk.data.startswith(b"10 20\n") for chunk in of(records, Chunk)) == 2
    assert leaks_in(pack(records), CANARY) == []


def test_who_reads_an_environment_is_seen_by_this(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "said", tmp_path / "go")
    watch.said.write_text(f"{os.getpid()}\n")
    with watch.kept:
        watch.begin()
        assert [len(path.read_bytes()) > 0 for path in watch.files] == [True, True]
        assert watch.count() == 2
