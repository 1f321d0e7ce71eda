"""Cgroups laid out as a kubelet and its runtime do, with real processes in them."""

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.kernel import unified_hierarchy

SYSTEMD, CGROUPFS = "systemd", "cgroupfs"
CONTAINERD, CRIO = "containerd", "cri-o"


def container_id(name: str) -> str:
    """64 hexadecimal digits, as runtimes make them."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass
class Kubelet:
    """`root`: its cgroupRoot. Whatever it made is removed at the end."""

    root: Path
    driver: str = SYSTEMD
    runtime: str = CONTAINERD
    made: list[Path] = field(default_factory=list)

    def pod(self, uid: str, qos: str = "burstable") -> Path:
        """A pod's cgroup."""
        if self.driver == SYSTEMD:
            above = ["kubepods.slice", f"kubepods-{qos}.slice"] if qos else ["kubepods.slice"]
            parts = [*above, f"{above[-1].removesuffix('.slice')}-pod{uid.replace('-', '_')}.slice"]
        else:
            parts = ["kubepods", *([qos] if qos else []), f"pod{uid}"]
        return self._make(self.root, parts)

    def container(self, uid: str, id_: str, qos: str = "burstable") -> Path:
        """A container's, of the same pod. CRI-O's runtime puts its processes into one of their own below."""
        prefix = {CONTAINERD: "cri-containerd-", CRIO: "crio-"}[self.runtime]
        name = f"{prefix}{id_}.scope" if self.driver == SYSTEMD else f"{'crio-' if self.runtime == CRIO else ''}{id_}"
        parts = [name, "container"] if self.runtime == CRIO and self.driver == SYSTEMD else [name]
        return self._make(self.pod(uid, qos), parts)

    def below(self, cgroup: Path, name: str) -> Path:
        """One that a container made for itself."""
        return self._make(cgroup, [name])

    def start(self, cgroup: Path, argv: Sequence[str | Path], **options: object) -> subprocess.Popen[bytes]:
        """A process that is moved there and executes this then, and one outside of it that ends as it does. It is that one's child, not
        ours: a test that traces it would take its stops for its end (waitpid(2) of a tracer's process tells of them, whatever it asks)."""
        enter = f'echo 0 > {cgroup / "cgroup.procs"} && exec "$@"'
        outside = f"/bin/sh -c '{enter}' sh \"$@\" & wait $!"
        return subprocess.Popen(["/bin/sh", "-c", outside, "sh", *map(str, argv)], **options)  # type: ignore[call-overload,no-any-return]

    def remove(self, cgroup: Path) -> None:
        """A container's cgroup, when nobody is in it any more; and what was made above for it alone stays."""
        name = next(path for path in (cgroup, *cgroup.parents) if path.parent.name.find("pod") >= 0)
        for path in [path for path in reversed(self.made) if path == name or path.is_relative_to(name)]:
            _empty(path)
            path.rmdir()
            self.made.remove(path)

    def remove_pod(self, uid: str, qos: str = "burstable") -> None:
        """All of it."""
        pod = self.pod(uid, qos)
        for path in [path for path in reversed(self.made) if path.is_relative_to(pod)]:
            _empty(path)
            path.rmdir()
            self.made.remove(path)

    def close(self) -> None:
        for path in reversed(self.made):
            with suppress(FileNotFoundError):
                _empty(path)
                path.rmdir()

    def _make(self, above: Path, parts: list[str]) -> Path:
        for part in parts:
            above = above / part
            if not above.exists():
                above.mkdir()
                self.made.append(above)
        return above


def _empty(path: Path) -> None:
    deadline = time.monotonic() + 60
    while pids := (path / "cgroup.procs").read_text().split():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        assert time.monotonic() < deadline, f"{path} does not become empty"
        time.sleep(0.01)


@contextmanager
def kubelet(driver: str = SYSTEMD, runtime: str = CONTAINERD) -> Iterator[Kubelet]:
    """One whose cgroups are below one of the test's own."""
    root = unified_hierarchy() / f"node-{os.getpid()}-{time.monotonic_ns()}"
    root.mkdir()
    made = Kubelet(root, driver, runtime)
    try:
        yield made
    finally:
        made.close()
        root.rmdir()
