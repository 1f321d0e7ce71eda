"""A collector's Capture service for tests of the agent: keeps batches in memory, acknowledges when it is told to."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import zstandard

from chaperone.proto import capture_pb2 as wire
from chaperone.proto.capture_pb2_grpc import CaptureServicer, add_CaptureServicer_to_server
from chaperone.proto.records import Record, unpack


class CollectorDouble(CaptureServicer):
    """`batches` by number; a number that comes again with other content is an error kept in `conflicts`."""

    def __init__(self, socket: Path, acknowledges: bool = True) -> None:
        self.socket, self.acknowledges = socket, acknowledges
        self.batches: dict[int, wire.Batch] = {}
        self.hellos: list[wire.Hello] = []
        self.received = 0
        self.conflicts: list[int] = []
        self.refusal = ""
        self.welcome = wire.Welcome(contract=1, version="test")
        self.answers: list[wire.Downward] = []  # behind the welcome
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._pool = ThreadPoolExecutor(4)
        self._server = grpc.server(self._pool)
        self.serve_on(self._server)
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def serve_on(self, server: grpc.Server) -> None:
        """What is called at this server, is ours."""
        add_CaptureServicer_to_server(self, server)

    def stop(self) -> None:
        if self._server is not None and self._pool is not None:
            self._server.stop(None).wait()
            self._server = None
            self._pool.shutdown()

    def records(self) -> list[Record]:
        frames = [zstandard.ZstdDecompressor().decompress(self.batches[n].records) for n in sorted(self.batches)]
        return [record for frame in frames for record in unpack(frame)]

    def Stream(self, request_iterator: Iterator[wire.Upward], context: grpc.ServicerContext) -> Iterator[wire.Downward]:  # noqa: N802
        self.hellos.append(next(request_iterator).hello)
        self.welcome.next_batch = self._confirmed() + 1
        yield wire.Downward(welcome=self.welcome)
        yield from self.answers
        for message in request_iterator:
            if self.refusal:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, self.refusal)
            self._keep(message.batch)
            if self.acknowledges:
                yield wire.Downward(ack=wire.Ack(batch=self._confirmed()))

    def _keep(self, batch: wire.Batch) -> None:
        self.received += 1
        known = self.batches.setdefault(batch.number, batch)
        if known != batch:
            self.conflicts.append(batch.number)

    def _confirmed(self) -> int:
        return next((n - 1 for n in range(1, len(self.batches) + 2) if n not in self.batches), 0) if self.acknowledges else 0
