"""Recordings of real clients (tests/captures) as the records of many pods: the same bytes under ids of their own, at the present time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chaperone.collector.ingest.captures import read_capture
from chaperone.collector.kube.call import Call
from chaperone.collector.kube.calls import Calls
from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.exchange import Exchanges, Phase
from chaperone.proto.ids import ProcessId, SessionId, process_id, session_id, stream_id
from chaperone.proto.records import Chunk, ProcessSeen, Record, SessionEnded, SessionStarted, StreamClosed, StreamOpened

CAPTURES = Path(__file__).parents[1] / "captures"
BYTES_LIMIT = 64 << 10  # of one recording: a few files of others would drown what calls cost


@dataclass(frozen=True, slots=True)
class Talk:
    """One recorded connection. `calls`: how many Kubernetes calls the pipeline makes of it."""

    name: str
    chunks: tuple[Chunk, ...]
    calls: int

    @property
    def size(self) -> int:
        """Bytes of plaintext."""
        return sum(len(chunk.data) for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Pod:
    """One container of a node. `boot`: the node's."""

    boot: str
    node: str
    number: int
    began: int

    @property
    def workload(self) -> str:
        """Its name, of which its ids are made."""
        return f"{self.node}/pod-{self.number}"

    @property
    def session(self) -> SessionId:
        """The only one it has."""
        return session_id(self.workload, self.began)

    @property
    def process(self) -> ProcessId:
        """The only one it has."""
        return process_id(self.boot, 1000 + self.number, self.began)

    def begin(self) -> list[Record]:
        """Its session and its process."""
        labels, name = {"app": "load"}, f"pod-{self.number}"
        told = SessionStarted(self.session, self.workload, self.began, node=self.node, labels=labels, namespace="load", pod=name)
        return [
            told,
            ProcessSeen(self.process, self.session, self.began, 1000 + self.number, "/usr/bin/kubectl", ("kubectl", "get", "pods")),
        ]

    def replay(self, talk: Talk, time: int) -> list[Record]:
        """A connection that begins at `time` (boot-time ns, no two at the same)."""
        stream, ends = stream_id(self.process, 1, time), [0, 0]
        records: list[Record] = [StreamOpened(stream, self.process, self.session, time, "openssl", 1)]
        for number, chunk in enumerate(talk.chunks):
            records.append(replace(chunk, stream=stream, time=time + number))
            ends[chunk.direction] = chunk.position + len(chunk.data)
        return [*records, StreamClosed(stream, time + len(records), *ends)]

    def end(self, time: int) -> list[Record]:
        """The end of its session."""
        return [SessionEnded(self.session, time, 0)]


def talks() -> list[Talk]:
    """Every recording that is small and holds calls."""
    found = [_talk(path) for path in sorted(CAPTURES.glob("*.jsonl.gz"))]
    return [talk for talk in found if talk.calls and talk.size <= BYTES_LIMIT]


def _talk(path: Path) -> Talk:
    chunks = tuple(record for record in read_capture(path).records if isinstance(record, Chunk))
    return Talk(path.name, chunks, len({call.position for call in _calls(chunks)}))


def _calls(chunks: tuple[Chunk, ...]) -> Iterator[Call]:
    """Each call at its end."""
    reader, exchanges, calls, time = StreamReader(), Exchanges(), Calls(), 0
    for chunk in chunks:
        time = chunk.time
        for exchange in exchanges.add(reader.feed(chunk.direction, chunk.position, chunk.data, time)):
            if isinstance(found := calls.take(exchange), Call):
                yield found
    for exchange in [*exchanges.add(reader.close(time)), *exchanges.close(time)]:
        if isinstance(found := calls.take(exchange), Call) and found.phase is Phase.END:
            yield found
