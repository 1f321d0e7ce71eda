"""Of two agents for one node's pods the second waits until the first has ended, and does nothing if that does not come."""

import os
from pathlib import Path

from chaperone.agent.deliver.sole import is_sole
from chaperone.agent.deliver.spool import Spool, lock_of


def claim(root: Path, said: list[str], ends: int = 0, patience_s: float = 60) -> bool:
    """It is over at the look of this number, if not 0."""
    looks = iter(range(1, 1000))
    return is_sole(root, lambda: next(looks) == ends, said.append, patience_s)


def test_the_first_agent_of_a_node_has_it_and_says_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    assert claim(tmp_path / "spool", said) and said == []
    assert lock_of(tmp_path / "spool") is None, "it is kept"


def test_a_second_one_ends_when_it_is_told_to_or_has_waited_long_enough(tmp_path: Path) -> None:
    said: list[str] = []
    assert lock_of(tmp_path) is not None
    assert not claim(tmp_path, said, ends=3)
    assert not claim(tmp_path, said, patience_s=0.2)
    assert [f"it holds the lock in {tmp_path}" in line for line in said] == [True, True]


def test_it_begins_once_the_first_has_ended(tmp_path: Path) -> None:
    first, said = lock_of(tmp_path), list[str]()
    assert first is not None

    def end_of_the_first() -> bool:
        os.close(first)
        return False

    assert is_sole(tmp_path, end_of_the_first, said.append) and len(said) == 1


def test_agents_of_single_commands_use_the_same_spool_meanwhile(tmp_path: Path) -> None:
    assert claim(tmp_path, [])
    Spool(tmp_path, "a", 1 << 20).close()


def test_where_the_disk_tells_nothing_it_records_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "file").touch()
    assert claim(tmp_path / "file" / "spool", said)
    assert said == ["whether another agent governs this node's pods can't be told: Not a directory"]
