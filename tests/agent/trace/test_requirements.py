"""Machines made of a few files: each lacks one thing, and that is what is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaperone.agent.trace.requirements import Machine, limits, problems

MOUNTS = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One that has everything, and no tracefs."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/kernel/btf").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text(MOUNTS)
    (tmp_path / "proc/self/status").write_text("Name:\tpython\nCapEff:\t000001ffffffffff\n")
    (tmp_path / "sys/kernel/btf/vmlinux").write_bytes(b"")
    return Machine(tmp_path, "5.10.0-30-amd64", "x86_64", has_bcc=True)


def said(machine: Machine) -> list[str]:
    found = problems(machine)
    assert all(problem.fix and "\n" not in problem.what for problem in found)
    return [problem.what for problem in found]


def test_a_machine_that_has_everything_has_no_problem(machine: Machine) -> None:
    assert problems(machine) == []


def test_where_nobody_may_trace_it_records_and_cannot_enforce(machine: Machine) -> None:
    scope = machine.root / "proc/sys/kernel/yama/ptrace_scope"
    scope.parent.mkdir(parents=True)
    for value, is_limited in (("0", False), ("2", False), ("3", True)):
        scope.write_text(f"{value}\n")
        assert problems(machine) == []
        assert [limit.is_limit and "nothing is enforced" in limit.what for limit in limits(machine)] == [True] * is_limited


def test_bpf_and_perfmon_are_enough(machine: Machine) -> None:
    (machine.root / "proc/self/status").write_text(f"CapEff:\t{1 << 38 | 1 << 39:016x}\n")
    assert said(machine) == []


def test_each_thing_that_is_missing_is_named(machine: Machine) -> None:
    assert said(replace(machine, architecture="aarch64")) == ["recording needs an x86-64 machine, this one is aarch64"]
    assert said(replace(machine, release="4.19.0-27-amd64")) == ["recording needs Linux 5.10 or later, this is 4.19.0-27-amd64"]
    assert said(replace(machine, has_bcc=False)) == ["the Python module bcc is missing"]


def test_a_user_without_capabilities_is_told_to_use_sudo(machine: Machine) -> None:
    (machine.root / "proc/self/status").write_text("CapEff:\t0000000000000000\n")
    [problem] = problems(machine)
    assert problem.what.startswith("loading BPF needs root")
    assert problem.fix == "run it again with sudo"


def test_cgroup_v1_alone_is_not_enough(machine: Machine) -> None:
    (machine.root / "proc/self/mounts").write_text("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n")
    [problem] = problems(machine)
    assert problem.what == "no cgroup v2 hierarchy is mounted"
    assert "mount -t cgroup2" in problem.fix


def test_a_kernel_without_types_and_a_sysfs_that_is_not_mounted_differ(machine: Machine) -> None:
    (machine.root / "sys/kernel/btf/vmlinux").unlink()
    assert problems(machine)[0].fix == "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"
    (machine.root / "sys/kernel/btf").rmdir()
    (machine.root / "sys/kernel").rmdir()
    assert problems(machine)[0].fix == "mount -t sysfs sysfs /sys"


def test_a_lockdown_that_hides_memory_is_named(machine: Machine) -> None:
    (machine.root / "sys/kernel/security").mkdir()
    (machine.root / "sys/kernel/security/lockdown").write_text("none [integrity] confidentiality\n")
    assert said(machine) == []
    (machine.root / "sys/kernel/security/lockdown").write_text("none integrity [confidentiality]\n")
    assert len(said(machine)) == 1
