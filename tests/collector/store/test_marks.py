from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks, StreamMark

KEY = b"k" * 32
SECRET = b"authorization: Bearer s3cr3t"


def in_a_turn(*marks: StreamMark, turn: int = 0) -> list[tuple[StreamMark, int]]:
    return [(mark, turn) for mark in marks]


def test_the_latest_mark_of_each_stream_counts(engine: Engine) -> None:
    marks = Marks(engine, KEY)
    marks.write(in_a_turn(StreamMark("latest-a", b"1"), StreamMark("latest-b", b"2")))
    marks.write(in_a_turn(StreamMark("latest-a", b"3")))
    assert Marks(engine, KEY).of(["latest-a", "latest-b", "latest-c"]) == {"latest-a": b"3", "latest-b": b"2"}
    Marks(engine, KEY).write(in_a_turn(StreamMark("latest-a", b"4")))
    assert marks.of(["latest-a"]) == {"latest-a": b"4"}


def test_a_stream_that_is_over_has_none(engine: Engine) -> None:
    marks = Marks(engine, KEY)
    marks.write(in_a_turn(StreamMark("over", b"1")))
    marks.write(in_a_turn(StreamMark("over"), StreamMark("never marked")))
    assert marks.of(["over", "never marked"]) == {}
    assert engine.rows("SELECT stream FROM marks WHERE stream = 'never marked'") == []


def test_states_are_sealed_and_bound_to_their_stream(engine: Engine) -> None:
    marks = Marks(engine, KEY)
    marks.write(in_a_turn(StreamMark("sealed", SECRET)))
    [row] = engine.rows("SELECT * FROM marks WHERE stream = 'sealed'")
    assert "s3cr3t" not in str(row)
    engine.insert("marks", [row | {"stream": "other"}])
    assert marks.of(["sealed", "other"]) == {"sealed": SECRET}
    assert Marks(engine, b"x" * 32).of(["sealed"]) == {}


def test_an_unknown_layout_is_no_mark(engine: Engine) -> None:
    marks = Marks(engine, KEY)
    marks.write(in_a_turn(StreamMark("layout", b"1")))
    [row] = engine.rows("SELECT * FROM marks WHERE stream = 'layout'")
    engine.insert("marks", [row | {"taken": row["taken"] + 1, "layout": 99}])
    assert marks.of(["layout"]) == {}


def test_the_latest_turn_counts_whatever_is_written_later(engine: Engine) -> None:
    before, after = Marks(engine, KEY), Marks(engine, KEY)
    before.write(in_a_turn(StreamMark("moved", b"1"), turn=1))
    assert after.of(["moved"]) == {"moved": b"1"}
    after.write(in_a_turn(StreamMark("moved", b"2"), turn=2))
    before.write(in_a_turn(StreamMark("moved", b"late"), turn=1))
    assert Marks(engine, KEY).of(["moved"]) == {"moved": b"2"}
    after.write(in_a_turn(StreamMark("moved"), turn=2))
    assert Marks(engine, KEY).of(["moved"]) == {}
