"""Every offset that the BPF sources use is asked for, and no other."""

import re

from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.offsets import MEMBERS, offsets


class FakeBtf:
    """Answers with the length of the names."""

    def offset(self, name: str, *members: str) -> int:
        return len(name) + len(members[0])


def test_the_sources_use_exactly_these_offsets() -> None:
    used = set(
        re.findall(r"\b(?:TASK|MM|SIGNAL|BINPRM|CGROUP|CSS|KERNFS|FS|PATH|MOUNT|VFSMOUNT|DENTRY|QSTR)_[A-Z_]+\b", flatten("chaperone.c"))
    )
    assert used == set(MEMBERS)


def test_each_flag_gets_its_member() -> None:
    assert offsets(FakeBtf())["MM_ARG_START"] == len("mm_struct" + "arg_start")  # type: ignore[arg-type]
