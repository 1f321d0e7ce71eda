"""Which probes a file gets, against a kernel that only remembers them."""

import os
import time
from collections.abc import Sequence
from errno import EMFILE, EPERM
from pathlib import Path

import pytest
from support.descriptors import times_open
from support.elf_file import BASE, elf_file, symbols

from chaperone.agent.probe.apart import Parser, UnansweredError
from chaperone.agent.probe.points import Point, points
from chaperone.agent.trace import files as module
from chaperone.agent.trace.files import ProbedFiles, identity_of
from chaperone.agent.trace.values import Attached, NotCovered

LIBRARY = elf_file(*symbols({"SSL_write": BASE + 64, "SSL_read": BASE + 80, "SSL_free": BASE + 96}, 2))


class FakeKernel:
    """`probes`: descriptor → (program, inode that the path led to, offsets). `refuses`: error number of all after the first two, or 0."""

    def __init__(self) -> None:
        self.probes: dict[int, tuple[str, int, tuple[int, ...]]] = {}
        self.detached: list[int] = []
        self.refuses = 0

    def attach_uprobes(self, program: str, path: str, offsets: Sequence[int], at_return: bool) -> list[int]:
        if self.refuses and len(self.probes) == 2:
            raise OSError(self.refuses, os.strerror(self.refuses))
        self.probes[number := 1000 + len(self.probes)] = (program, Path(path).stat().st_ino, tuple(offsets))
        return [number]

    def detach(self, descriptors: Sequence[int]) -> None:
        """The files beside the probes are real."""
        for descriptor in descriptors:
            if descriptor in self.probes:
                self.detached.append(descriptor)
            else:
                os.close(descriptor)


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
    assert [len(offsets) for _, _, offsets in kernel.probes.values()] == [2, 1, 1, 1], "two functions return to one program"


def test_the_probes_go_to_the_file_that_was_parsed(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    """Its name may mean another file by the time the kernel looks."""
    opened, inode = os.open(library, os.O_RDONLY), library.stat().st_ino
    library.rename(library.with_suffix(".old"))
    library.write_bytes(b"another")
    assert isinstance(files.attach(opened), Attached)
    assert {probe[1] for probe in kernel.probes.values()} == {inode}
    os.close(opened)


def test_a_file_that_changed_is_looked_at_again(files: ProbedFiles, library: Path) -> None:
    library.write_bytes(b"still being copied")
    assert isinstance(files.attach(library), NotCovered)
    library.write_bytes(LIBRARY)
    assert isinstance(files.attach(library), Attached)


def test_what_cannot_be_probed_says_why(files: ProbedFiles, kernel: FakeKernel, library: Path, tmp_path: Path) -> None:
    kernel.refuses = EPERM
    assert files.attach(library) == NotCovered("the kernel refuses probes: Operation not permitted", refused=True)
    assert files.attach(tmp_path / "absent") == NotCovered("cannot open it: No such file or directory")
    assert files.attach(tmp_path) == NotCovered("not a regular file")


def test_a_pipe_does_not_hang_us(files: ProbedFiles, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert files.attach(tmp_path / "pipe") == NotCovered("not a regular file")


def test_probes_that_could_not_all_be_made_are_taken_off(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    kernel.refuses = EPERM
    files.attach(library)
    assert kernel.detached == list(kernel.probes)


def test_a_file_for_which_there_was_no_descriptor_is_tried_again(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    kernel.refuses = EMFILE
    assert files.attach(library) == NotCovered("the kernel refuses probes: Too many open files", refused=True, is_for_now=True)
    kernel.refuses = 0
    assert isinstance(files.attach(library), Attached)


def test_a_file_that_was_touched_keeps_its_probes(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    """A second set of probes at the same places would meet each call twice."""
    files.attach(library)
    before = dict(kernel.probes)
    os.utime(library, ns=(7, 7))
    assert isinstance(files.attach(library), Attached)
    assert (kernel.probes, kernel.detached) == (before, [])


def test_a_file_that_was_written_over_gets_other_probes(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    files.attach(library)
    before = list(kernel.probes)
    library.write_bytes(elf_file(*symbols({"SSL_write": BASE + 80, "SSL_read": BASE + 64, "SSL_free": BASE + 96}, 2)))
    assert isinstance(files.attach(library), Attached)
    assert kernel.detached == before
    assert len(kernel.probes) == 2 * len(before)


def test_a_file_without_a_name_may_go_as_soon_as_nobody_maps_it(files: ProbedFiles, library: Path) -> None:
    found = files.attach(library)
    assert isinstance(found, Attached)
    assert files.disposable(time.monotonic()) == []
    library.unlink()
    assert files.disposable(0) == [], "it was mapped since"
    assert files.disposable(time.monotonic()) == [(found.device, found.inode)]


def test_a_file_with_a_name_may_go_when_nobody_has_mapped_it_for_long(files: ProbedFiles, library: Path) -> None:
    found = files.attach(library)
    assert isinstance(found, Attached)
    later = time.monotonic() + module.IDLE_S
    assert files.disposable(later) == [(found.device, found.inode)]
    with library.open("rb") as opened:
        assert files.known(identity_of(opened.fileno()))
    assert files.disposable(later) == []


def test_where_many_have_probes_none_keeps_them_for_later(files: ProbedFiles, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.attach(library)
    assert files.disposable(time.monotonic()) == []
    monkeypatch.setattr(module, "CROWDED", 0)
    assert len(files.disposable(time.monotonic())) == 1


def test_a_dropped_file_is_looked_into_again(files: ProbedFiles, kernel: FakeKernel, library: Path) -> None:
    found = files.attach(library)
    assert isinstance(found, Attached)
    probes, kept = list(kernel.probes), times_open(library)
    files.drop((found.device, found.inode))
    assert kernel.detached == probes
    assert (kept, times_open(library)) == (1, 0)
    assert files.attach(library) == found
    assert len(kernel.probes) == 2 * len(probes)


def test_a_file_that_could_not_be_read_in_time_is_read_again_later(
    files: ProbedFiles, kernel: FakeKernel, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time after twice as long: it may be made to take long."""
    clock, asked = [1000.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    read = files.parser.points

    def unanswered(_fd: int) -> tuple[Point, ...]:
        asked.append(clock[0])
        raise UnansweredError("took longer than 10 s")

    monkeypatch.setattr(files.parser, "points", unanswered)
    for second in range(100):
        clock[0] = 1000.0 + second
        assert files.attach(library) == NotCovered("reading it failed or took too long", is_for_now=True)
        with library.open("rb") as opened:
            assert not files.known(identity_of(opened.fileno()))
    assert asked == [1000, 1030, 1090]
    monkeypatch.setattr(files.parser, "points", read)
    clock[0] = 1210.0
    assert isinstance(files.attach(library), Attached)
    assert files.delayed == {}


def test_more_files_than_may_have_probes_are_refused(
    files: ProbedFiles, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBED_LIMIT", 1)
    (tmp_path / "other").write_bytes(LIBRARY)
    found = files.attach(library)
    refused = files.attach(tmp_path / "other")
    assert isinstance(found, Attached)
    assert isinstance(refused, NotCovered)
    assert refused.refused
    files.drop((found.device, found.inode))
    assert isinstance(files.attach(tmp_path / "other"), Attached)


def test_of_files_without_tls_the_longest_known_are_forgotten(files: ProbedFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLAIN_LIMIT", 2)
    for name in "abc":
        (tmp_path / name).write_bytes(b"nothing" + name.encode())
        files.attach(tmp_path / name)
    assert len(files.plain) == 2
    with (tmp_path / "c").open("rb") as opened:
        assert files.known(identity_of(opened.fileno()))
