"""A collector that dies behind any batch leaves the rows that it would have left alive: marks of every reader, and what comes again."""

import random
from pathlib import Path

import pytest
from support.conversations import Conversation, pods
from support.deaths import Table, lived

from chaperone.collector.ingest.captures import read_capture
from chaperone.collector.store.rows import Kind
from chaperone.proto.records import Chunk, ProcessEnded, Record

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.jsonl.gz"))


def cut(records: list[Record], seed: int) -> list[list[Record]]:
    """Records in batches of any length, chunks cut anywhere."""
    dice = random.Random(seed)
    pieces = [piece for record in records for piece in _pieces(record, dice)]
    batches: list[list[Record]] = []
    while pieces:
        length = dice.randint(1, max(1, len(pieces) // 12))
        batches.append(pieces[:length])
        del pieces[:length]
    return batches


def _pieces(record: Record, dice: random.Random) -> list[Record]:
    if not isinstance(record, Chunk) or len(record.data) < 2:
        return [record]
    at = dice.randrange(1, len(record.data))
    first = Chunk(record.stream, record.direction, record.position, record.data[:at], record.time)
    return [first, Chunk(record.stream, record.direction, record.position + at, record.data[at:], record.time)]


def difference(found: Table, wanted: Table) -> dict[object, object]:
    keys = {**found, **wanted}
    return {key: (found.get(key), wanted.get(key)) for key in keys if found.get(key) != wanted.get(key)}


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_recording_survives_a_death_behind_every_batch(path: Path, seed: int) -> None:
    batches = cut(list(read_capture(path).records), seed)
    alive = lived(batches)
    dice = random.Random(seed)
    for death in range(1, len(batches)):
        assert difference(lived(batches, (death,), unacked=dice.randint(0, 2)), alive) == {}
    assert difference(lived(batches, tuple(range(1, len(batches)))), alive) == {}


def test_bytes_that_were_let_go_of_are_a_gap_of_a_joined_stream_not_a_loss() -> None:
    one = Conversation()
    batches = [one.begun(), one.exchange("/api/v1/pods", pods()), one.exchange("/api/v1/nodes", pods()), one.ended()]
    without = [*batches[:1], batches[1], [], batches[3]]
    table = lived(without, deaths=(2,))
    assert {key[0] for key in table} >= {Kind.CALL, Kind.GAP} and Kind.LOSS not in {key[0] for key in table}
    assert Kind.LOSS in {key[0] for key in lived(without)}


def test_the_end_of_processes_and_sessions_said_again_changes_nothing() -> None:
    one = Conversation()
    gone: list[Record] = [ProcessEnded(one.process, one.tick())]
    batches = [one.begun(), one.exchange("/api/v1/pods", pods()), gone, one.ended()]
    for death in range(1, 5):
        for unacked in range(5):
            assert difference(lived(batches, (death,), unacked), lived(batches)) == {}
