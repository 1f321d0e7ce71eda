"""Every offset that the BPF sources use is asked for, and no other."""

import re
from pathlib import Path

import pytest

from chaperone.agent.trace import offsets as module
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.offsets import MEMBERS, namespace, offsets


class FakeBtf:
    """Answers with the length of the names."""

    def offset(self, name: str, *members: str) -> int:
        return len(name) + len(members[0])


def test_the_sources_use_exactly_these_offsets() -> None:
    structs = "TASK|MM|SIGNAL|BINPRM|CGROUP|CSS|KERNFS|FS|PATH|MOUNT|VFSMOUNT|DENTRY|QSTR|PID|UPID|NS"
    used = set(re.findall(rf"\b(?:{structs})_[A-Z_]+\b", flatten("chaperone.c")))
    assert used - {"PID_NAMESPACE", "UPID_SIZE"} == set(MEMBERS)


def test_each_flag_gets_its_member() -> None:
    assert offsets(FakeBtf())["MM_ARG_START"] == len("mm_struct" + "arg_start")  # type: ignore[arg-type]


def test_only_an_agent_in_a_pid_namespace_of_its_own_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert namespace(tmp_path) == {"PID_NAMESPACE": tmp_path.stat().st_ino}
    monkeypatch.setattr(module, "MACHINES", tmp_path.stat().st_ino)
    assert namespace(tmp_path) == {}
