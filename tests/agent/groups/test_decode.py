"""Records about cgroups, as the ring hands them out."""

from chaperone.agent.groups.decode import DECODERS
from chaperone.agent.groups.layout import GROUP_PATH_LIMIT, GroupKind, MadeRecord, SeenRecord
from chaperone.agent.groups.values import GroupEntered, GroupGone, GroupMade
from chaperone.agent.trace.layout import Head


def test_what_comes_to_a_cgroup_is_told_apart() -> None:
    seen = bytes(SeenRecord(Head(time=7, workload=3), 2**33 + 1))
    assert DECODERS[GroupKind.ENTERED](seen) == GroupEntered(2**33 + 1, 3, 7)
    assert DECODERS[GroupKind.GONE](seen) == GroupGone(2**33 + 1, 3, 7)


def test_a_path_ends_at_its_zero_and_need_not_be_text() -> None:
    made = MadeRecord(SeenRecord(Head(time=7), 5))
    made.path = type(made.path)(*b"/kubepods/\xff\0rest".ljust(GROUP_PATH_LIMIT, b"x"))
    assert DECODERS[GroupKind.MADE](bytes(made)) == GroupMade(5, "/kubepods/\udcff", 7)
