"""A pipeline whose rows go through a judge: what ingest gives batches to."""

from collections.abc import Collection

from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.pipeline.records import Pipeline
from chaperone.collector.store.marks import StreamMark
from chaperone.collector.store.recall import Docket, Past
from chaperone.proto.records import Record


class JudgedPipeline:
    """`judge` is the sink of `pipeline`."""

    def __init__(self, pipeline: Pipeline, judge: Judge) -> None:
        self._pipeline, self._judge = pipeline, judge

    def take(self, record: Record, wall_offset: int) -> None:
        """One record."""
        self._pipeline.take(record, wall_offset)

    def marks(self) -> tuple[list[StreamMark], Collection[str]]:
        """The end of a batch: what it brought is judged, and streams are marked."""
        self._judge.settle()
        return self._pipeline.marks()

    def recall(self, past: Past, docket: Docket) -> None:
        """Go on where an earlier collector ended."""
        self._pipeline.recall(past)
        self._judge.recall(past, docket)
