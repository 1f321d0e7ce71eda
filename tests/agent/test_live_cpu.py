"""The real agent with a tenth of a processor: one workload floods it and alone has gaps, which are stated; the others are whole."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.collector_double import CollectorDouble
from support.kernel import cgroup, entering, skip_without_kernel
from support.tls_server import TlsServer, libssl

from chaperone.agent.throttle import BURST_S
from chaperone.proto.records import Chunk, Direction, Loss, Note, Record, SessionStarted, StreamOpened

pytestmark = pytest.mark.kernel
PERCENT, OTHERS = 10, 3
CONNECT = """
import socket, ssl, sys, time
context = ssl.create_default_context(cafile=sys.argv[2])
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
"""
FLOOD = """
tls.sendall(b"%d 2\\n" % (100 * 150_000))
for _ in range(150_000): tls.sendall(bytes(100))
tls.recv(2)
tls.unwrap()
"""
LITTLE = """
for count in range(20):
    tls.sendall(b"100 200\\n" + bytes(100))
    got = 0
    while got < 200: got += len(tls.recv(200))
    time.sleep(0.1)
tls.unwrap()
"""


def agent(groups: list[Path], folder: Path) -> "subprocess.Popen[str]":
    ready, told = os.pipe()
    options = [*(f"--cgroup={group}" for group in groups), f"--socket={folder / 'collector.sock'}", f"--spool={folder / 'spool'}"]
    command = [sys.executable, "-m", "chaperone.agent", *options, f"--attach={libssl()}", f"--cpu={PERCENT}", f"--ready-fd={told}"]
    process = subprocess.Popen(command, pass_fds=(told,), stdout=subprocess.PIPE, text=True)
    os.close(told)
    with os.fdopen(ready) as line:
        assert "session" in json.loads(line.readline())
    return process


def talking(group: Path, server: TlsServer, text: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", CONNECT + text, str(server.port), str(server.certificate)]
    return subprocess.Popen([*entering(group), *command])


def used_s(pid: int) -> float:
    """Processor time: proc_pid_stat(5), utime and stime."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_at_its_limit_only_the_one_that_floods_has_gaps(server: TlsServer, tmp_path: Path) -> None:
    skip_without_kernel()
    with ExitStack() as stack:
        groups = [stack.enter_context(cgroup()) for _ in range(1 + OTHERS)]
        collector = CollectorDouble(tmp_path / "collector.sock")
        collector.start()
        stack.callback(collector.stop)
        process = agent(groups, tmp_path)
        before, began = used_s(process.pid), time.monotonic()
        clients = [talking(group, server, LITTLE if at else FLOOD) for at, group in enumerate(groups)]
        assert [client.wait(120) for client in clients] == [0] * len(clients)
        used, took = used_s(process.pid) - before, time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        assert json.loads(process.communicate(timeout=120)[0].splitlines()[-1])["unconfirmed"] == 0
        records = collector.records()
    assert used < took * PERCENT / 100 + BURST_S + 1.0, "a piece of work, and the processes and connections of the others"
    truth = server.finished()
    hog, *others = (of_workload(records, group) for group in groups)
    for other in others:
        assert not [record for record in other if isinstance(record, Loss) or (isinstance(record, Note) and not record.complete)]
        assert plaintext(other, Direction.OUT) in [out for out, _ in truth]
        assert plaintext(other, Direction.IN) in [into for _, into in truth]
    assert len(plaintext(hog, Direction.OUT)) == max(len(out) for out, _ in truth)


def of_workload(records: list[Record], group: Path) -> list[Record]:
    """The records of one session's streams, and what it notes."""
    [session] = [one.session for one in records if isinstance(one, SessionStarted) and one.workload.endswith(group.name)]
    streams = {one.stream for one in records if isinstance(one, StreamOpened) and one.session == session}
    return [one for one in records if getattr(one, "stream", None) in streams or (isinstance(one, Note) and one.session == session)]


def plaintext(records: list[Record], direction: Direction) -> bytes:
    """One direction of the one stream, with a 0 for each byte that is stated as lost; AssertionError if one is missing or comes twice."""
    found = b""
    for part in records:
        if isinstance(part, Chunk | Loss) and part.direction is direction:
            assert part.position == len(found)
            found += part.data if isinstance(part, Chunk) else bytes(part.size)
    return found
