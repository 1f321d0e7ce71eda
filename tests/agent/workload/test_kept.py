"""Files of processes that may be gone; the processes are real, the time is not."""

import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chaperone.agent.closing import Closer
from chaperone.agent.workload import kept as module
from chaperone.agent.workload.image import Image
from chaperone.agent.workload.kept import LINGER_S, KeptFiles

GONE = 2**22 + 7  # no pid that there can be


@pytest.fixture
def kept() -> Iterator[KeptFiles]:
    closer = Closer()
    files = KeptFiles(closer)
    yield files
    files.close()
    closer.finish()


def keep(kept: KeptFiles, pid: int, path: Path, started: int = 6, number: int = 1) -> None:
    descriptor = os.open(path, os.O_PATH)
    kept.keep(Image(pid, started, number), descriptor)
    os.close(descriptor)


def names(kept: KeptFiles, pid: int, started: int = 6) -> list[str]:
    with kept.of(pid, started) as found:
        return [Path(f"/proc/self/fd/{descriptor}").readlink().name for descriptor in found]


def made(folder: Path, name: str) -> Path:
    (folder / name).write_text(name)
    return folder / name


def test_a_file_is_there_when_its_process_and_its_name_are_not(kept: KeptFiles, tmp_path: Path) -> None:
    process = subprocess.Popen(["/bin/true"])
    path = made(tmp_path, "program")
    keep(kept, process.pid, path)
    process.wait()
    path.unlink()
    with kept.of(process.pid, 6) as (descriptor,):
        assert Path(f"/proc/self/fd/{descriptor}").read_text() == "program"


def test_another_process_with_that_pid_has_not_its_files(kept: KeptFiles, tmp_path: Path) -> None:
    keep(kept, GONE, made(tmp_path, "a"))
    assert names(kept, GONE, 7) == []
    keep(kept, GONE, made(tmp_path, "b"), started=7)
    assert names(kept, GONE, 7) == ["b"]
    assert names(kept, GONE, 6) == []


def test_what_it_was_before_is_forgotten(kept: KeptFiles, tmp_path: Path) -> None:
    keep(kept, GONE, made(tmp_path, "shell"))
    keep(kept, GONE, made(tmp_path, "client"), number=2)
    keep(kept, GONE, made(tmp_path, "library"), number=2)
    assert names(kept, GONE) == ["client", "library"]


def test_a_process_of_unknown_begin_has_its_files(kept: KeptFiles, tmp_path: Path) -> None:
    keep(kept, GONE, made(tmp_path, "a"), started=0)
    assert names(kept, GONE, 6) == ["a"]


def test_files_of_the_living_stay_and_those_of_the_dead_go(kept: KeptFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    shared = made(tmp_path, "shared")
    for pid, path in ((os.getpid(), shared), (GONE, shared), (GONE, made(tmp_path, "own"))):
        keep(kept, pid, path)
    kept.sweep()
    now[0] += LINGER_S
    kept.sweep()
    assert names(kept, GONE) == ["shared", "own"]
    now[0] += 1
    kept.sweep()
    assert names(kept, GONE) == []
    assert names(kept, os.getpid()) == ["shared"]
    assert len(kept._files) == 1


def test_a_file_whose_end_takes_long_keeps_nobody(kept: KeptFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that is one without a name on a busy disk; here a socket that is to linger until its peer has read all."""
    now = [100.0]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours, server.accept()[0]:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 2))
        ours.settimeout(0.1)
        with suppress(TimeoutError):
            ours.sendall(bytes(64 << 20))
        ours.setblocking(True)
        kept.keep(Image(GONE, 6, 1), ours.fileno())
        ours.close()
        began = time.perf_counter()
        monkeypatch.setattr("time.monotonic", lambda: now[0])
        kept.sweep()
        now[0] += LINGER_S + 1
        kept.sweep()
        assert kept._files == {}
        assert time.perf_counter() - began < 1
        kept._closer.finish()
        assert time.perf_counter() - began > 1.5


def test_there_is_a_limit_of_everything(kept: KeptFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("PROCESS_LIMIT", 2), ("FILE_LIMIT", 3), ("OF_ONE", 2)):
        monkeypatch.setattr(module, limit, value)
    paths = [made(tmp_path, f"f{number}") for number in range(5)]
    for pid in range(GONE, GONE + 4):
        for path in paths:
            keep(kept, pid, path)
    assert [len(one.files) for one in kept._processes.values()] == [2, 2]
    for number, path in enumerate(paths):
        keep(kept, GONE + 10 + number, path)
    assert len(kept._files) == 3
