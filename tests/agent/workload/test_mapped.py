"""Files are opened by their mappings: whatever is done to paths meanwhile, the mapped file is meant, or none."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaperone.agent.closing import Closer
from chaperone.agent.workload.mapped import code_pages, mapped, mount_of, opened_process, own_mounts, reopened
from chaperone.agent.workload.processes import started_ns

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="/proc/PID/map_files needs root")
MAPPER = """
import mmap, os, sys
keep = [mmap.mmap(os.open(path, 0), 4096, prot=5, flags=2) for path in sys.argv[1:]]
print(flush=True)
input()
"""


@contextmanager
def mapping(*paths: Path, argv: tuple[str, ...] = ()) -> Iterator[int]:
    """A process that has mapped these files executable."""
    with subprocess.Popen([*argv, sys.executable, "-c", MAPPER, *map(str, paths)], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.kill()


def contents(pid: int) -> list[bytes]:
    """What is in the mapped files of a process, their first bytes."""
    found = []
    with opened_process(pid, 0) as folder:
        for descriptor in mapped(folder, Closer()):
            with reopened(descriptor) as readable:
                found.append(os.read(readable, 8))
    return found


def page(path: Path, text: bytes) -> Path:
    path.write_bytes(text.ljust(4096, b"\0"))
    return path


def test_a_file_renamed_over_is_not_taken_for_the_mapped_one(tmp_path: Path) -> None:
    library = page(tmp_path / "lib.so", b"mapped..")
    with mapping(library) as pid:
        page(tmp_path / "other", b"swapped.").rename(library)
        found = contents(pid)
    assert b"mapped.." in found
    assert b"swapped." not in found


def test_a_link_put_in_its_place_leads_nowhere(tmp_path: Path) -> None:
    library, victim = page(tmp_path / "lib.so", b"mapped.."), page(tmp_path / "victim", b"private.")
    with mapping(library) as pid:
        library.unlink()
        library.symlink_to(victim)
        found = contents(pid)
    assert b"mapped.." in found
    assert b"private." not in found


def test_a_path_cannot_name_another_file_to_be_opened(tmp_path: Path) -> None:
    """A path may hold what Python takes for the end of a line; what follows it would be a line of the workload's making."""
    victim = page(tmp_path / "victim", b"private.")
    library = Path(f"{tmp_path}/a\x1c1000-2000 r-xp 0 8:1 7 {victim}")
    library.parent.mkdir(parents=True)
    page(library, b"mapped..")
    with mapping(library) as pid:
        found = contents(pid)
    assert b"mapped.." in found
    assert b"private." not in found


def test_each_file_comes_once_however_often_it_is_mapped(tmp_path: Path) -> None:
    library = page(tmp_path / "lib.so", b"mapped..")
    with mapping(library, library) as pid:
        assert contents(pid).count(b"mapped..") == 1


def test_a_program_at_a_fixed_low_address_is_found(tmp_path: Path) -> None:
    """maps writes its address with zeros in front, map_files without."""
    source = tmp_path / "fixed.c"
    source.write_text('#include <unistd.h>\nint main(void) { write(1, "\\n", 1); pause(); }\n')
    subprocess.run(["cc", "-no-pie", "-o", tmp_path / "fixed", source], check=True)
    with subprocess.Popen([tmp_path / "fixed"], stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert Path(f"/proc/{process.pid}/maps").read_text().startswith("00400000-")
        with opened_process(process.pid, 0) as folder:
            inodes = [os.fstat(descriptor).st_ino for descriptor in mapped(folder, Closer())]
        process.kill()
    assert (tmp_path / "fixed").stat().st_ino in inodes


def test_the_mount_of_a_mapped_file_is_one_of_its_processes(tmp_path: Path) -> None:
    """A mount namespace of its own, with a mount that we do not have."""
    library = page(tmp_path / "lib.so", b"mapped..")
    script = f'mount --bind {tmp_path} {tmp_path} && exec "$@"'
    with mapping(library, argv=("unshare", "-m", "/bin/sh", "-c", script, "sh")) as pid, opened_process(pid, 0) as folder:
        mounts = {os.fstat(fd).st_ino: mount_of(fd) for fd in mapped(folder, Closer())}
        assert mounts[library.stat().st_ino] in own_mounts(folder)
    with opened_process(os.getpid(), 0) as ours:
        assert mounts[library.stat().st_ino] not in own_mounts(ours)


def test_a_process_is_known_by_its_start(tmp_path: Path) -> None:
    started = started_ns(os.getpid())
    assert started
    with opened_process(os.getpid(), started + 5) as folder:
        assert code_pages(folder) > 0
    with pytest.raises(ProcessLookupError), opened_process(os.getpid(), started + 10**9):
        pass
    with pytest.raises(ProcessLookupError), opened_process(2**22 + 5, 0):
        pass


def test_a_process_that_ends_meanwhile_has_no_files(tmp_path: Path) -> None:
    with mapping(page(tmp_path / "lib.so", b"mapped..")) as pid, opened_process(pid, 0) as folder:
        os.kill(pid, 9)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert list(mapped(folder, Closer())) == []
        assert code_pages(folder) == 0
        assert own_mounts(folder) == frozenset()


def test_a_file_without_a_name_is_closed_aside(tmp_path: Path) -> None:
    """It may be ours alone by then: that takes as long as the disk does."""
    aside = list[str]()

    class Noting(Closer):
        def close(self, descriptors: Iterable[int]) -> None:
            aside.extend(Path(f"/proc/self/fd/{descriptor}").readlink().name for descriptor in descriptors)

    named, nameless = page(tmp_path / "named.so", b"mapped.."), page(tmp_path / "nameless.so", b"mapped..")
    with mapping(named, nameless) as pid, opened_process(pid, 0) as folder:
        nameless.unlink()
        assert len(list(mapped(folder, Noting()))) > 2
    assert aside == ["nameless.so (deleted)"]


LEADERLESS = """
#include <pthread.h>
#include <unistd.h>
static void *stay(void *unused) { sleep(1); write(1, "\\n", 1); pause(); return unused; }
int main(void) { pthread_t thread; pthread_create(&thread, 0, stay, 0); pthread_exit(0); }
"""


def test_a_process_whose_first_thread_has_ended_is_seen_through_another(tmp_path: Path) -> None:
    """Its own folder shows no memory then, although all its files are mapped."""
    (tmp_path / "leaderless.c").write_text(LEADERLESS)
    program = tmp_path / "leaderless"
    subprocess.run(["cc", "-pthread", "-o", program, program.with_suffix(".c")], check=True)
    with subprocess.Popen([program], stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        started = started_ns(process.pid)
        assert started
        assert Path(f"/proc/{process.pid}/maps").read_text() == ""
        with opened_process(process.pid, started) as folder:
            assert code_pages(folder) > 0
            assert program.stat().st_ino in [os.fstat(descriptor).st_ino for descriptor in mapped(folder, Closer())]
        process.kill()
