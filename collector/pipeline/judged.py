"""A pipeline whose rows go through a judge: what ingest gives batches to."""

from collections.abc import Collection

import msgpack

from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.pipeline.records import Pipeline
from chaperone.collector.store.marks import StreamMark
from chaperone.collector.store.recall import BROUGHT, Docket, Past
from chaperone.proto.records import Record, SessionEnded, SessionStarted


class JudgedPipeline:
    """`judge` is the sink of `pipeline`."""

    def __init__(self, pipeline: Pipeline, judge: Judge) -> None:
        self._pipeline, self._judge = pipeline, judge
        self._brought: list[StreamMark] = []  # policies' texts as they came: a restarted collector must judge by the same

    def take(self, record: Record, wall_offset: int) -> None:
        """One record."""
        if isinstance(record, SessionStarted) and record.policies:
            self._judge.bring(record.session, record.policies)
            self._brought.append(StreamMark(f"{BROUGHT}{record.session}", msgpack.packb(record.policies, unicode_errors="surrogatepass")))
        elif isinstance(record, SessionEnded):
            self._brought.append(StreamMark(f"{BROUGHT}{record.session}"))
        self._pipeline.take(record, wall_offset)

    def marks(self) -> tuple[list[StreamMark], Collection[str]]:
        """The end of a batch: what it brought is judged, and streams are marked."""
        self._judge.settle()
        marks, unmarked = self._pipeline.marks()
        brought, self._brought = self._brought, []
        return [*marks, *brought], unmarked

    def recall(self, past: Past, docket: Docket) -> None:
        """Go on where an earlier collector ended."""
        for name, texts in past.brought.items():
            self._judge.bring(name.removeprefix(BROUGHT), msgpack.unpackb(texts, unicode_errors="surrogatepass"))
        self._pipeline.recall(past)
        self._judge.recall(past, docket)
