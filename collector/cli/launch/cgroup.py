"""The cgroup of one run: a child of the launcher's own in the unified hierarchy, so that limits and session tracking stay.

Made before CMD, joined by CMD's process before it execs, removed at the end. What CMD left behind goes back to where
the launcher is. A launcher that was killed leaves an empty folder: the next run removes it.
"""

import errno
import os
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path

from chaperone.collector.cli.launch.failed import LaunchError

PREFIX = "chaperone-run-"
BUSY_RETRIES = 50  # of 20 ms: a cgroup stays populated until the kernel has let go of its last zombie


class RunCgroup:
    """A folder below /sys/fs/cgroup (or wherever) with one run's processes."""

    def __init__(self, parent: Path) -> None:
        self.parent, self.path = parent, parent / f"{PREFIX}{os.getpid()}-{secrets.token_hex(3)}"

    def make(self) -> None:
        """Create the folder. LaunchError if the hierarchy is read-only or not ours."""
        _sweep(self.parent)
        try:
            self.path.mkdir()
        except OSError as error:
            raise LaunchError(
                f"can't create a cgroup in {self.parent}: {error.strerror}", "run as root, with a writable cgroup2 mount"
            ) from error

    def processes(self) -> list[int]:
        """The pids in it and in all groups below."""
        files = [self.path / "cgroup.procs", *self.path.glob("**/cgroup.procs")]
        return [pid for file in dict.fromkeys(files) for pid in _pids(file)]

    def kill(self) -> None:
        """End them all, frozen ones too, and see them gone. Kernels before 5.14 have no file for it."""
        if (self.path / "cgroup.kill").exists():
            (self.path / "cgroup.kill").write_text("1")
        for _ in range(BUSY_RETRIES):
            for pid in (left := self.processes()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.02)

    def remove(self) -> None:
        """Move what is left to the launcher's group, then remove the folder and those below it."""
        for _ in range(BUSY_RETRIES):
            for pid in self.processes():
                _move(pid, self.parent)
            if not self.path.exists() or _removed(self.path):
                return
            time.sleep(0.02)


def own_group() -> Path:
    """The launcher's folder in the cgroup2 hierarchy; its root where the own folder is out of sight."""
    mount = mount_point(Path("/proc/self/mounts").read_text())
    if mount is None:
        raise LaunchError("no cgroup2 hierarchy is mounted", "mount -t cgroup2 none /sys/fs/cgroup/unified")
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    folder = mount / own
    return folder if ".." not in own and (folder / "cgroup.procs").exists() else mount


def mount_point(mounts: str) -> Path | None:
    """Where cgroup2 is mounted, from /proc/self/mounts (fstab(5): blanks are written \\040)."""
    rows = (line.split() for line in mounts.splitlines())
    found = next((row[1] for row in rows if len(row) > 2 and row[2] == "cgroup2"), None)
    return None if found is None else Path(found.replace("\\040", " "))


def join(folder: Path) -> None:
    """Move the calling process."""
    (folder / "cgroup.procs").write_text("0")


def _pids(file: Path) -> list[int]:
    try:
        return [int(line) for line in file.read_text().split()]
    except (FileNotFoundError, OSError):  # the group went away, or ENODEV while it does
        return []


def _move(pid: int, folder: Path) -> None:
    with suppress(ProcessLookupError):
        (folder / "cgroup.procs").write_text(str(pid))


def _removed(folder: Path) -> bool:
    """Remove a folder and those below. False while the kernel says that somebody is in it."""
    try:
        for path in sorted(folder.glob("**/"), reverse=True):
            path.rmdir()
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOENT):
            raise
        return error.errno == errno.ENOENT
    return True


def _sweep(parent: Path) -> None:
    """Remove empty groups of launchers that are gone."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            _removed(folder)
