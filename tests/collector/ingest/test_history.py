from chaperone.collector.ingest.history import History, What
from chaperone.collector.ingest.policies import Source

OLD, NEW = "rules:\n- a\n- b\n", "rules:\n- a\n- hunter2\n"


def mask(text: str) -> str:
    return text.replace("hunter2", "~")


def source(text: str) -> Source:
    return Source(text, "unix:root (owner of the file)", ("agents",))


def test_a_change_has_author_and_difference_and_is_told_once() -> None:
    history = History({"p.yaml": OLD}, mask)
    [change] = history.changes({"p.yaml": source(NEW)}, 5)
    assert (change.what, change.author, change.policies) == (What.CHANGED, "unix:root (owner of the file)", ("agents",))
    assert change.difference[2:] == ("@@ -1,3 +1,3 @@", " rules:", " - a", "-- b", "+- ~") and change.text == mask(NEW)
    assert history.changes({"p.yaml": source(NEW)}, 6) == []
    document = change.document()
    assert document["time"] == "1970-01-01T00:00:00.000000005Z" and document["what"] == "changed" and "hunter2" not in str(document)


def test_what_came_and_went_while_nobody_ran_is_a_change() -> None:
    history = History({"old": OLD}, mask)
    added, removed = history.changes({"new": source(OLD)}, 5)
    assert (added.source, added.what, added.difference[-1]) == ("new", What.ADDED, "+- b")
    assert (removed.source, removed.what, removed.text, removed.difference[-1]) == ("old", What.REMOVED, "", "-- b")
    assert history.changes({"new": source(OLD)}, 6) == []


def test_a_problem_is_told_once_and_again_when_it_is_another() -> None:
    history = History({}, mask)
    [one] = history.refusals({"p": "line 3: found hunter2"}, 5)
    assert (one.what, one.problem) == (What.REFUSED, "line 3: found ~")
    assert history.refusals({"p": "line 3: found hunter2"}, 6) == []
    assert len(history.refusals({"p": "line 4"}, 7)) == 1 and history.refusals({}, 8) == []
    assert len(history.refusals({"p": "line 4"}, 9)) == 1
