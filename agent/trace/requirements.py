"""Can this machine be recorded? What is missing, one sentence each, with the command that provides it.

tracefs and kernel headers are not asked for: we use neither.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

OLDEST = (5, 10)
NOBODY_TRACES = "3"
SYS_ADMIN, PERFMON, BPF = 1 << 21, 1 << 38, 1 << 39


@dataclass(frozen=True, slots=True)
class Problem:
    """`what` is missing, and the command or change that `fix`es it. `is_limit`: the agent works all the same, but not in everything."""

    what: str
    fix: str
    is_limit: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look; tests look elsewhere."""

    root: Path = Path("/")
    release: str = field(default_factory=lambda: os.uname().release)
    architecture: str = field(default_factory=lambda: os.uname().machine)
    has_bcc: bool = field(default_factory=lambda: find_spec("bcc") is not None)

    def text(self, path: str) -> str:
        """A file below `root`; empty if there is none that we may read."""
        try:
            return (self.root / path).read_text()
        except OSError:
            return ""


def problems(machine: Machine | None = None) -> list[Problem]:
    """Every reason why the agent could not start here; empty on a machine that can."""
    return list(_problems(machine or Machine()))


def limits(machine: Machine | None = None) -> list[Problem]:
    """What an agent could not do here though it can start."""
    found = machine or Machine()
    if found.text("proc/sys/kernel/yama/ptrace_scope").strip() != NOBODY_TRACES:
        return []
    what = "Yama's ptrace_scope is 3: no call can be held, so nothing is enforced (onFailure decides), and big calls are stated as lost"
    return [Problem(what, "boot with kernel.yama.ptrace_scope=2 or less: a running kernel does not go back from 3", is_limit=True)]


def _problems(machine: Machine) -> Iterator[Problem]:
    if machine.architecture != "x86_64":
        yield Problem(f"recording needs an x86-64 machine, this one is {machine.architecture}", "record on an x86-64 node")
    if _version(machine.release) < OLDEST:
        yield Problem(f"recording needs Linux 5.10 or later, this is {machine.release}", "boot a newer kernel")
    if not _may_load(machine.text("proc/self/status")):
        yield Problem("loading BPF needs root (CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON)", "run it again with sudo")
    if not machine.has_bcc:
        yield Problem("the Python module bcc is missing", "apt-get install python3-bpfcc, in a venv with --system-site-packages")
    if not (machine.root / "sys/kernel/btf/vmlinux").exists():
        yield Problem("the kernel does not describe its types (no /sys/kernel/btf/vmlinux)", _btf_fix(machine))
    if not _has_cgroup2(machine.text("proc/self/mounts")):
        mount = "/sys/fs/cgroup/unified"
        yield Problem("no cgroup v2 hierarchy is mounted", f"mkdir -p {mount} && mount -t cgroup2 cgroup2 {mount}")
    if "[confidentiality]" in machine.text("sys/kernel/security/lockdown"):
        yield Problem("kernel lockdown 'confidentiality' forbids BPF to read memory", "boot with lockdown=integrity or none")


def _version(release: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _may_load(status: str) -> bool:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    effective = int(found[1], 16) if found else 0
    return bool(effective & SYS_ADMIN) or effective & (BPF | PERFMON) == BPF | PERFMON


def _btf_fix(machine: Machine) -> str:
    is_mounted = (machine.root / "sys/kernel").exists()
    return "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y" if is_mounted else "mount -t sysfs sysfs /sys"


def _has_cgroup2(mounts: str) -> bool:
    return any(line.split()[2:3] == ["cgroup2"] for line in mounts.splitlines())
