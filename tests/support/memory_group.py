"""A cgroup whose memory ends where a test says: the kernel kills who wants more. Of cgroup v1 or v2, whichever has the controller."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.kernel import cgroup, unified_hierarchy
from support.required import missing

V1 = Path("/sys/fs/cgroup/memory")
ENOUGH = 32 << 20  # bytes that who is in it may still have


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """`path` and the names of its files."""

    path: Path
    usage: str
    limit: str
    events: str

    def end(self) -> None:
        """A little more than now, and no more."""
        (self.path / self.limit).write_text(str(int((self.path / self.usage).read_text()) + ENOUGH))

    def kills(self) -> int:
        """How many it has cost."""
        lines = (self.path / self.events).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@contextmanager
def memory_group() -> Iterator[MemoryGroup]:
    """A new one; skips or fails where there is none."""
    if V1.is_dir():
        with cgroup(V1) as path:
            yield MemoryGroup(path, "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control")
        return
    root = unified_hierarchy()
    if "memory" not in (root / "cgroup.controllers").read_text().split():
        missing("no cgroup has a memory controller")
    (root / "cgroup.subtree_control").write_text("+memory")
    with cgroup(root) as path:
        if (path / "memory.swap.max").exists():
            (path / "memory.swap.max").write_text("0")
        yield MemoryGroup(path, "memory.current", "memory.max", "memory.events")


def leave(pid: int) -> None:
    """Have a process that was begun in such a group be in none. By cgroup v2 it is in one of its own anyway."""
    if V1.is_dir():
        (V1 / "cgroup.procs").write_text(str(pid))
