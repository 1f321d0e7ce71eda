from chaperone.collector.pipeline.behind import LIMIT, Behind, Fed, restored
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN


def test_what_is_settled_is_forgotten_and_the_rest_of_a_chunk_kept() -> None:
    behind = Behind()
    behind.add(Fed(OUT, 0, 4, 1, b"abcd"))
    behind.add(Fed(IN, 0, 2, 2, b"xy"))
    behind.add(Fed(OUT, 4, 3, 3, None, "ring full"))
    assert behind.settle([2, 2])
    assert restored(behind.saved([2, 2])) == [Fed(OUT, 2, 2, 1, b"cd"), Fed(OUT, 4, 3, 3, None, "ring full")]


def test_past_the_limit_there_is_no_mark_until_the_reader_has_settled_it() -> None:
    behind = Behind()
    behind.add(Fed(OUT, 0, 10, 1, b"x" * 10))
    behind.add(Fed(OUT, 10, LIMIT, 2, b"y" * LIMIT))
    assert not behind.settle([0, 0])
    assert not behind.settle([9, 0])
    assert behind.settle([10, 0])
    assert [fed.position for fed in restored(behind.saved([10, 0]))] == [10]
