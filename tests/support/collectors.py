"""A real collector as a process, and an agent's side of the talk with it."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import zstandard

from chaperone.collector.store.directory import holder, socket_target
from chaperone.proto import capture_pb2 as pb
from chaperone.proto import query_pb2
from chaperone.proto.capture_pb2_grpc import CaptureStub
from chaperone.proto.query_pb2_grpc import QueryStub
from chaperone.proto.records import Record, pack

TESTS = Path(__file__).parents[1]
READY_S = 60
OPTIONS = [("grpc.max_receive_message_length", -1)]
WALL_OFFSET = 1_700_000_000_000_000_000


def start(store: Path, *arguments: str, module: str = "chaperone.collector") -> "subprocess.Popen[bytes]":
    """A collector that serves."""
    ready, told = os.pipe()
    command = [sys.executable, "-m", module, "--store", str(store), "--ready-fd", str(told), *arguments]
    process = subprocess.Popen(command, pass_fds=(told,), stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(TESTS)})
    os.close(told)
    waiting = select.poll()  # descriptors may be above what select takes
    waiting.register(ready, select.POLLIN)
    readable = waiting.poll(READY_S * 1000)
    line = os.read(ready, 100) if readable else b""
    os.close(ready)
    assert line == b"ready\n", (line, process.stderr and process.stderr.read())
    return process


def stop(process: "subprocess.Popen[bytes]") -> int:
    process.send_signal(signal.SIGTERM)
    status = process.wait(READY_S)
    if process.stderr:
        process.stderr.close()
    return status


def leave(store: Path) -> None:
    """Have whoever keeps a store end, such as the collector that a command started."""
    while pid := holder(store):
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.2)


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait(READY_S)
    if process.stderr:
        process.stderr.close()


@contextmanager
def collector(store: Path, *arguments: str, module: str = "chaperone.collector") -> Iterator["subprocess.Popen[bytes]"]:
    process = start(store, *arguments, module=module)
    try:
        yield process
    finally:
        if process.poll() is None:
            assert stop(process) == 0


def batch(number: int, records: list[Record], wall_offset: int = WALL_OFFSET) -> pb.Upward:
    data = pack(records)
    frame = zstandard.ZstdCompressor().compress(data)
    return pb.Upward(batch=pb.Batch(number=number, wall_offset_ns=wall_offset, records=frame, size=len(data)))


def hello(agent: str = "agent-1", contract: int = 1, node: str = "node", boot: str = "boot") -> pb.Upward:
    return pb.Upward(hello=pb.Hello(contract=contract, agent=agent, boot_id=boot, node=node, version="test"))


def send(store: Path, messages: Iterable[pb.Upward], timeout_s: float = 20) -> list[pb.Downward]:
    """Everything the collector answers to these messages until it hangs up. grpc.RpcError when it refuses."""
    with grpc.insecure_channel(socket_target(store), OPTIONS) as channel:
        return list(CaptureStub(channel).Stream(iter(messages), timeout=timeout_s))


def talk(store: Path, messages: Iterable[pb.Upward], on_ack: Callable[[int], None] = lambda _: None) -> tuple[int, grpc.RpcError | None]:
    """Send until the collector hangs up: the highest acked number, and how it refused."""
    highest = 0
    with grpc.insecure_channel(socket_target(store), OPTIONS) as channel:
        try:
            for answer in CaptureStub(channel).Stream(iter(messages), timeout=READY_S):
                highest = max(highest, answer.ack.batch)
                on_ack(answer.ack.batch)
        except grpc.RpcError as error:
            return highest, error
    return highest, None


def acked(answers: list[pb.Downward]) -> list[int]:
    return [answer.ack.batch for answer in answers if answer.WhichOneof("message") == "ack"]


def ask(store: Path, question: str, /, **parameters: Any) -> list[dict[str, Any]]:
    with grpc.insecure_channel(socket_target(store), OPTIONS) as channel:
        answers = QueryStub(channel).Ask(query_pb2.Question(name=question, parameters=json.dumps(parameters)), timeout=20)
        return [row for rows in answers for row in json.loads(rows.json)]
