from chaperone.collector.rules.heirs import Heir
from chaperone.collector.rules.terms import Mode
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.heirs import heir_row, heirs
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer

NOW = 1_760_000_000_000_000_000


def test_the_newest_of_each_is_known_oldest_first(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    told = [("a", Mode.RECORD, 1), ("b", Mode.ENFORCE, 2), ("a", Mode.ENFORCE, 3), ("a", Mode.ENFORCE, 3)]
    for name, mode, time in told:
        call = Row(Kind.CALL, "s", f"c{time}", 1, 0, NOW + time, {})
        writer.append(heir_row(Heir("demo", f"Job/{name}", "s", mode, (("agents", mode),)), call))
    writer.flush()
    found = heirs(engine)
    assert [(one["id"], one["mode"], one["policies"]) for one in found] == [
        ("demo/Job/b", "enforce", [["agents", "enforce"]]),
        ("demo/Job/a", "enforce", [["agents", "enforce"]]),
    ]
