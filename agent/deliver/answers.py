"""Answers to requests that were held. What is judged of one as it comes need not be judged when its program writes next, and waits."""

from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction, Hold, Record, StreamClosed


class Answers:
    """Of all streams."""

    def __init__(self) -> None:
        self._awaited: set[StreamId] = set()

    def begins(self, record: Record) -> bool:
        """Whether with this record one does."""
        if isinstance(record, Hold) and record.direction is Direction.OUT:
            self._awaited.add(record.stream)
        elif isinstance(record, StreamClosed):
            self._awaited.discard(record.stream)
        elif isinstance(record, Chunk) and record.direction is Direction.IN and record.stream in self._awaited:
            self._awaited.discard(record.stream)
            return True
        return False
