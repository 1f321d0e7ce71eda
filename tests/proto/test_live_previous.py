"""Agents and collectors of this version and of the one before work together.

previous/capture.binpb is capture.proto as it was before this version, a FileDescriptorSet made by protoc. When the contract changes, the
file is made anew of the version that was released.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from support.collector_double import CollectorDouble
from support.collectors import ask, batch, collector, hello
from support.conversations import Conversation, pods

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.uplink import Cargo, Uplink
from chaperone.collector.store.directory import socket_target
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction

METHOD, SERVICE = "Stream", "chaperone.v1.Capture"


def previous(name: str) -> Any:
    """A message's class as it was."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((Path(__file__).parent / "previous/capture.binpb").read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"chaperone.v1.{name}"))


def as_it_was(name: str, data: bytes) -> bytes:
    """What a message says to the version before."""
    message = previous(name).FromString(data)
    message.DiscardUnknownFields()
    said: bytes = message.SerializeToString()
    return said


def test_the_version_before_knows_less() -> None:
    data = wire.Hello(agent="a", call=7).SerializeToString()
    assert wire.Hello.FromString(as_it_was("Hello", data)) == wire.Hello(agent="a")


def test_an_agent_of_the_version_before_delivers_to_this_collector(tmp_path: Path) -> None:
    one = Conversation("before")
    said = [hello(), *(batch(n, group) for n, group in enumerate([one.begun(), one.exchange("/api/v1/pods", pods()), one.ended()], 1))]
    with collector(tmp_path):
        with grpc.insecure_channel(socket_target(tmp_path)) as channel:
            call = channel.stream_stream(f"/{SERVICE}/{METHOD}", lambda data: data, previous("Downward").FromString)
            heard = list(call((as_it_was("Upward", message.SerializeToString()) for message in said), timeout=60))
        assert (heard[0].welcome.next_batch, heard[0].welcome.contract, heard[-1].ack.batch) == (1, 1, 3)
        [session] = ask(tmp_path, "sessions.list")
        assert (session["complete"], session["calls"]) == (True, 1)


class Before(CollectorDouble):
    """A collector of the version before."""

    def serve_on(self, server: grpc.Server) -> None:
        read = lambda data: wire.Upward.FromString(as_it_was("Upward", data))  # noqa: E731
        write = lambda message: as_it_was("Downward", message.SerializeToString())  # noqa: E731
        stream = grpc.stream_stream_rpc_method_handler(self.told, read, write)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: stream}),))

    def told(self, messages: Iterator[wire.Upward], context: grpc.ServicerContext) -> Iterator[wire.Downward]:
        return self.Stream(messages, context)


def test_this_agent_delivers_to_a_collector_of_the_version_before(tmp_path: Path) -> None:
    before, outbox = Before(tmp_path / "s"), Outbox(Limits())
    before.start()
    uplink = Uplink(f"unix:{before.socket}", wire.Hello(contract=1, agent="a", boot_id="b"), Cargo(outbox))
    uplink.start()
    outbox.put(Chunk(StreamId("s"), Direction.OUT, 0, b"x", 1))
    outbox.flush()
    assert uplink.finish(60), uplink.trouble
    assert [record.position for record in before.records() if isinstance(record, Chunk)] == [0]
    assert before.hellos == [wire.Hello(contract=1, agent="a", boot_id="b")]
    before.stop()
