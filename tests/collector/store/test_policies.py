from chaperone.collector.ingest.history import Change, What
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.policies import known_policies, policies_history, policy_row
from chaperone.collector.store.writer import Writer

NOW = 1_760_000_000_000_000_000


def put(engine: Engine, *changes: Change) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for change in changes:
        writer.append(policy_row(change.document()))
    writer.flush()


def change(time: int, source: str, what: What, text: str = "", **more: str) -> Change:
    return Change(NOW + time, source, what, "unix:root", (source,), text, ("-a", "+b"), **more)


def test_the_last_of_each_source_is_known_but_not_what_was_refused_or_removed(engine: Engine) -> None:
    put(engine, change(1, "a", What.ADDED, "one"), change(2, "a", What.CHANGED, "two"), change(3, "b", What.ADDED, "b"))
    put(engine, change(4, "b", What.REMOVED), change(5, "a", What.REFUSED, problem="line 3"))
    assert known_policies(engine) == {"a": "two"}


def test_changes_are_listed_with_author_and_difference(engine: Engine) -> None:
    put(engine, change(1, "a", What.ADDED, "one"), change(2, "b", What.ADDED, "two"), change(3, "b", What.REFUSED, problem="line 3"))
    found = policies_history(engine, {"policy": "b"})
    assert [(one["source"], one["what"], one["author"], one["difference"]) for one in found][:1] == [
        ("b", "added", "unix:root", ["-a", "+b"])
    ]
    assert [one["problem"] for one in found] == ["", "line 3"] and "text" not in found[0]
    assert [one["source"] for one in policies_history(engine, {"limit": 2})] == ["b", "b"]
