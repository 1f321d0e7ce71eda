"""The agent's end, with a collector made of a socket."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.collector_double import CollectorDouble

from chaperone.agent.deliver.local_line import RefusedError, local_socket, talking
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.uplink import Cargo, Uplink
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import StreamId
from chaperone.proto.local_line import HEAD, SOCKET, Refusal, message_frame, refusal_frame
from chaperone.proto.records import Chunk, Direction

GRPC = "collector.sock"


def ack(batch: int) -> wire.Downward:
    return wire.Downward(ack=wire.Ack(batch=batch))


class Collector:
    """Answers each connection by `answer(what it hears, what it may say)` in a thread."""

    def __init__(self, place: Path, answer: Callable[[Iterator[wire.Upward], Callable[[bytes], None]], None]) -> None:
        self.answer = answer
        self.server = socket.create_server(str(place / SOCKET), family=socket.AF_UNIX)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.server.accept()
            except OSError:
                return
            with line, line.makefile("rb") as heard:
                self.answer(_messages(heard), line.sendall)

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)  # closing wakes nobody who waits for a connection
        self.server.close()


def _messages(heard: object) -> Iterator[wire.Upward]:
    while head := heard.read(HEAD.size):  # type: ignore[attr-defined]
        yield wire.Upward.FromString(heard.read(HEAD.unpack(head)[0]))  # type: ignore[attr-defined]


def heard_by(place: Path, *messages: wire.Upward) -> list[wire.Downward]:
    line = local_socket(place / GRPC)
    assert line is not None
    with talking(line, iter(messages)) as answers:
        return list(answers)


def test_messages_go_out_while_answers_come_in(tmp_path: Path) -> None:
    def answer(messages: Iterator[wire.Upward], say: Callable[[bytes], None]) -> None:
        for message in messages:
            say(message_frame(ack(message.batch.number)))

    collector = Collector(tmp_path, answer)
    found = heard_by(tmp_path, *(wire.Upward(batch=wire.Batch(number=number, records=b"x" * 300_000)) for number in range(1, 20)))
    collector.close()
    assert [message.ack.batch for message in found] == list(range(1, 20))


def test_a_refusal_comes_behind_what_was_said_before(tmp_path: Path) -> None:
    def answer(messages: Iterator[wire.Upward], say: Callable[[bytes], None]) -> None:
        say(message_frame(ack(1)) + refusal_frame(Refusal(8, "no room")))

    collector = Collector(tmp_path, answer)
    line = local_socket(tmp_path / GRPC)
    assert line is not None
    with talking(line, iter(())) as answers, pytest.raises(RefusedError, match="no room") as refused:
        assert next(answers).ack.batch == 1
        next(answers)
    collector.close()
    assert refused.value.refusal.status == 8


def test_a_collector_that_dies_in_the_middle_of_a_frame_has_hung_up(tmp_path: Path) -> None:
    collector = Collector(tmp_path, lambda _messages, say: say(message_frame(ack(1)) + message_frame(ack(2))[:-1]))
    assert [message.ack.batch for message in heard_by(tmp_path)] == [1]
    collector.close()


def test_where_nobody_listens_there_is_no_line(tmp_path: Path) -> None:
    assert local_socket(tmp_path / GRPC) is None
    socket.create_server(str(tmp_path / SOCKET), family=socket.AF_UNIX).close()
    assert local_socket(tmp_path / GRPC) is None, "the socket of one that was killed"


def sent_over(place: Path) -> tuple[Outbox, Uplink]:
    outbox = Outbox(Limits())
    uplink = Uplink(f"unix:{place / GRPC}", wire.Hello(contract=1, agent="a", boot_id="b"), Cargo(outbox))
    outbox.put(Chunk(StreamId("s"), Direction.OUT, 0, b"x", 1))
    outbox.flush()
    uplink.start()
    return outbox, uplink


def test_an_uplink_takes_the_line_and_is_told_why_it_is_refused(tmp_path: Path) -> None:
    seen = list[str]()

    def answer(messages: Iterator[wire.Upward], say: Callable[[bytes], None]) -> None:
        hello = next(messages).hello
        say(message_frame(wire.Downward(welcome=wire.Welcome(contract=1, next_batch=1))))
        seen.append(f"{hello.agent} {next(messages).batch.number}")
        say(refusal_frame(Refusal(8, "no room")) if len(seen) < 3 else message_frame(ack(1)))
        for _ in messages if len(seen) == 3 else ():
            continue

    collector = Collector(tmp_path, answer)
    refusals = set[str]()
    outbox, uplink = sent_over(tmp_path)
    while not outbox.wait_empty(0.005):
        refusals |= {uplink.trouble} if uplink.is_refused else set()
    assert uplink.finish(10)
    collector.close()
    assert (seen, refusals) == (["a 1"] * 3, {"no room"}) and not uplink.is_refused


def test_a_collector_without_the_line_is_reached_by_grpc(tmp_path: Path) -> None:
    double = CollectorDouble(tmp_path / GRPC)
    double.start()
    _, uplink = sent_over(tmp_path)
    assert uplink.finish(10)
    double.stop()
    assert double.received == 1
