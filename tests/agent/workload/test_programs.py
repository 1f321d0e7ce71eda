"""Whatever code a process has mapped is looked into, each file once, and only files of its own mounts."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.descriptors import descriptors

from chaperone.agent.closing import Closer
from chaperone.agent.trace.files import Identity, identity_of
from chaperone.agent.workload.image import Image
from chaperone.agent.workload.programs import YOUNG_LIMIT, Programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="/proc/PID/map_files needs root")
ABSENT = 2**22 + 5
LOOKS = 20


@contextmanager
def running(text: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python program that has printed a line and then waits."""
    with subprocess.Popen([sys.executable, "-c", f"{text}\nprint(flush=True); input()"], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def names_of(attached: list[str], marked: list[tuple[Image, int]] | None = None) -> Programs:
    marks, known = [] if marked is None else marked, set[Identity]()

    def attach(_image: Image, fd: int) -> bool:
        attached.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        known.add(identity_of(fd))
        return True

    return Programs(attach, lambda _image, identity: identity in known, lambda *mark: marks.append(mark), lambda *_: None, Closer())


def executed(programs: Programs, pid: int) -> None:
    programs.executed(Image(pid, 0, 1))
    programs.look_due()


def test_each_file_is_probed_once() -> None:
    attached: list[str] = []
    programs = names_of(attached)
    with running("import ssl") as first, running("import ssl") as second:
        executed(programs, first.pid)
        executed(programs, second.pid)
    assert any("libssl" in name for name in attached)
    assert any("python" in name for name in attached)
    assert len(attached) == len(set(attached))


def test_a_library_mapped_after_the_exec_is_found() -> None:
    attached: list[str] = []
    programs = names_of(attached)
    with running("") as process:
        executed(programs, process.pid)
        assert not any("libssl" in name for name in attached)
    with running("import time; time.sleep(0.01); import ssl") as process:
        programs.executed(Image(process.pid, 0, 1))
        deadline = time.monotonic() + 60
        while not any("libssl" in name for name in attached) and time.monotonic() < deadline:
            programs.look_due()
            time.sleep(programs.due_s())
    assert any("libssl" in name for name in attached)


def test_what_was_looked_into_is_marked_with_its_pages_of_code() -> None:
    marked: list[tuple[Image, int]] = []
    programs = names_of([], marked)
    with running("import mmap; a = mmap.mmap(-1, 5 * 4096, prot=4)") as process:
        image = Image(process.pid, 0, 7)
        code = programs.look(image)
        rows = [line.split() for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()]
    spans = [row[0].split("-") for row in rows if row[1][1:3] == "-x" and row[-1] not in ("[vdso]", "[vsyscall]")]
    pages = sum(int(end, 16) - int(begin, 16) for begin, end in spans) // 4096
    assert marked == [(image, code)]
    assert code - pages in (0, 1, 2)  # the vdso counts


def test_a_look_at_unchanged_code_reads_no_file() -> None:
    marked: list[tuple[Image, int]] = []
    programs = names_of([], marked)
    with running("") as process:
        code = programs.look(Image(process.pid, 0, 1))
        assert programs.look(Image(process.pid, 0, 1), code) == code
    assert len(marked) == 1


def test_a_process_that_is_gone_is_no_error_and_forgotten_in_time() -> None:
    attached: list[str] = []
    programs = names_of(attached)
    executed(programs, ABSENT)
    assert attached == []
    assert programs.due_s() == float("inf")
    assert programs.missed.total() == 0


def test_a_process_with_a_file_that_is_to_be_read_again_is_not_marked() -> None:
    """A marked one would connect unlooked."""
    marked: list[tuple[Image, int]] = []
    programs = names_of([], marked)
    attach, is_done = programs.attach, [False]
    programs.attach = lambda image, fd: attach(image, fd) and is_done[0]
    with running("") as process:
        assert programs.look(image := Image(process.pid, 0, 1)) > 0
        assert marked == []
        is_done[0] = True
        assert marked == [(image, programs.look(image))]


def test_another_process_with_the_same_number_is_not_looked_into() -> None:
    attached: list[str] = []
    programs = names_of(attached)
    with running("") as process:
        assert programs.look(Image(process.pid, 10**9, 1)) == 0
    assert attached == []


def test_no_descriptor_stays_open() -> None:
    """One a look would be as many as looks; threads that other tests left may open a few of their own."""
    before = len(descriptors())
    for _ in range(LOOKS):
        names_of([]).look(Image(os.getpid(), 0, 1))
    assert len(descriptors()) - before < LOOKS


def test_a_file_that_is_in_none_of_its_mounts_is_left_alone() -> None:
    """Memory with a name, here; a file of the node whose descriptor it was given is in no mount of its either."""
    attached: list[str] = []
    text = "import mmap, os; fd = os.memfd_create('libssl.so'); os.write(fd, bytes(4096)); m = mmap.mmap(fd, 4096, prot=5, flags=2)"
    with running(text) as process:
        assert "libssl.so" in Path(f"/proc/{process.pid}/maps").read_text()
        names_of(attached).look(Image(process.pid, 0, 1))
    assert attached
    assert not any("libssl" in name for name in attached)


def test_more_young_processes_than_can_be_looked_at_are_counted() -> None:
    programs = names_of([])
    for number in range(YOUNG_LIMIT + 3):
        programs.executed(Image(ABSENT + number, 0, 1, 7))
    assert programs.missed == {7: 3}
    programs.missed.pop(7)  # another thread does that
    assert programs.failed == 3, "also once the workload is gone"


def test_an_agent_without_descriptors_does_not_take_it_for_a_process_that_is_gone() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    programs = names_of([])
    standard = [os.fstat(number) for number in range(3)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(standard), hard))  # whatever other threads close meanwhile, none is free
    try:
        programs.look(Image(os.getpid(), 0, 1, 7))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert programs.missed == {7: 1} and programs.failed == 1


def test_ten_thousand_programs_in_a_row_cost_little() -> None:
    programs = names_of([])
    started = time.monotonic()
    for number in range(10_000):
        executed(programs, ABSENT + number)
    assert time.monotonic() - started < 5
