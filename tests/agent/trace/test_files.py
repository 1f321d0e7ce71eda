"""Which probes a file gets, against a kernel that only remembers them."""

import os
from pathlib import Path

import pytest
from support.elf_file import BASE, elf_file, symbols

from chaperone.agent.probe.apart import Parser
from chaperone.agent.probe.points import Point, points
from chaperone.agent.trace.files import ProbedFiles
from chaperone.agent.trace.values import Attached, NotCovered

LIBRARY = elf_file(*symbols({"SSL_write": BASE + 64, "SSL_read": BASE + 80, "SSL_free": BASE + 96}, 2))


class FakeKernel:
    """`probes`: (program, inode that the path led to, offset). `refuses`: as a kernel without uprobes."""

    def __init__(self) -> None:
        self.probes: list[tuple[str, int, int]] = []
        self.refuses = False

    def attach_uprobe(self, program: str, path: str, offset: int, at_return: bool) -> None:
        if self.refuses:
            raise OSError(1, "Operation not permitted")
        self.probes.append((program, Path(path).stat().st_ino, offset))


class InOurProcess(Parser):
    def points(self, fd: int) -> tuple[Point, ...]:
        return points(fd)


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def files(kernel: FakeKernel) -> ProbedFiles:
    return ProbedFiles(kernel, InOurProcess())  # type: ignore[arg-type]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "libssl.so.3"
    path.write_bytes(LIBRARY)
    return path


def test_a_file_is_probed_once_by_any_name(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    status = library.stat()
    (library.parent / "link").symlink_to(library)
    attached = Attached(status.st_dev, status.st_ino, ("SSL_write", "SSL_read", "SSL_free"))
    assert [files.attach(library), files.attach(library.parent / "link")] == [attached, attached]
    assert len(kernel.probes) == 5


def test_the_probes_go_to_the_file_that_was_parsed(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    """Its name may mean another file by the time the kernel looks."""
    opened, inode = os.open(library, os.O_RDONLY), library.stat().st_ino
    library.rename(library.with_suffix(".old"))
    library.write_bytes(b"another")
    assert isinstance(files.attach(opened), Attached)
    assert {probe[1] for probe in kernel.probes} == {inode}
    os.close(opened)


def test_a_file_that_changed_is_looked_at_again(files: ProbedFiles, library: Path) -> None:
    library.write_bytes(b"still being copied")
    assert isinstance(files.attach(library), NotCovered)
    library.write_bytes(LIBRARY)
    assert isinstance(files.attach(library), Attached)


def test_what_cannot_be_probed_says_why(files: ProbedFiles, kernel: FakeKernel, library: Path, tmp_path: Path) -> None:
    kernel.refuses = True
    assert files.attach(library) == NotCovered("the kernel refuses probes: Operation not permitted", refused=True)
    assert files.attach(tmp_path / "absent") == NotCovered("cannot open it: No such file or directory")
    assert files.attach(tmp_path) == NotCovered("not a regular file")


def test_a_pipe_does_not_hang_us(files: ProbedFiles, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert files.attach(tmp_path / "pipe") == NotCovered("not a regular file")
