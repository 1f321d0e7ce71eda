"""Live: processes that /proc has forgotten before anybody can ask it: all that a recording says of them comes from the kernel."""

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel
from support.live_recording import Altered, of, recorded

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import ProcessExec, Value
from chaperone.proto.records import ProcessEnded, ProcessSeen

pytestmark = pytest.mark.kernel
NOBODY = 65534
LAST = "two words"
# Each child changes folder and user by itself, so that nothing about it is as its parent's.
PARENT = f"""
import os, sys
for number, folder in enumerate(sys.argv[1:]):
    if not (child := os.fork()):
        os.chdir(folder)
        os.setgid({NOBODY}); os.setuid({NOBODY})
        os.execv("./here/tool", ["tool", str(number), "{LAST}"])
    os.waitpid(child, 0)
"""
MOUNTED = 'mount -t tmpfs none "$0" && mkdir -p "$0/in it/here" && cp /bin/true "$0/in it/here/tool" && exec "$@"'


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


def behind_their_ends(values: list[Value]) -> list[Value]:
    """Execs are passed on when who did them is gone; an agent with much to do is as late."""
    deadline = time.monotonic() + 30
    for value in values:
        while isinstance(value, ProcessExec) and value.argv[-1:] == (LAST,) and Path(f"/proc/{value.pid}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.001)
    return values


def tools(tracer: Tracer, argv: list[str | Path]) -> list[tuple[ProcessSeen, ProcessSeen, ProcessEnded]]:
    """Of each child: what became of it, its parent, its end."""
    records = recorded(Altered(tracer, behind_their_ends), argv, statuses=[0])
    seen, ends = of(records, ProcessSeen), {end.process: end for end in of(records, ProcessEnded)}
    parents = {one.process: one for one in seen if one.argv[-1:] != (LAST,)}
    return [(one, parents[one.parent], ends[one.process]) for one in seen if one.argv[-1:] == (LAST,) if one.parent]


def test_processes_of_a_millisecond_have_everything_of_their_own(tracer: Tracer, tmp_path: Path) -> None:
    folders = [tmp_path / f"folder {number}" / "deeper" for number in range(10)]
    for folder in folders:
        (folder / "here").mkdir(parents=True)
        shutil.copy("/bin/true", folder / "here" / "tool")
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    found = tools(tracer, [sys.executable, "-c", PARENT, *folders])
    over = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert [one.argv for one, *_ in found] == [("tool", str(number), LAST) for number in range(10)]
    assert [one.cwd for one, *_ in found] == list(map(str, folders))
    for one, parent, end in found:
        assert (one.exe, one.uid) == (f"{one.cwd}/here/tool", NOBODY)
        assert (parent.argv[0], parent.uid) == (sys.executable, 0)
        assert end.status == 0
        assert began < parent.time < one.time < end.time < over


def test_their_folder_is_told_across_mounts_that_only_they_see(tracer: Tracer, tmp_path: Path) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    argv = [
        "unshare",
        "-m",
        "/bin/sh",
        "-c",
        MOUNTED,
        place,
        sys.executable,
        "-c",
        PARENT,
        place / "in it",
        place / "in it" / "here" / "..",
    ]
    assert [one.cwd for one, *_ in tools(tracer, argv)] == [f"{place}/in it"] * 2


def test_of_one_that_is_too_deep_no_folder_is_told(tracer: Tracer, tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["x" * 200] * 6)
    (folder / "here").mkdir(parents=True)
    shutil.copy("/bin/true", folder / "here" / "tool")
    [(one, *_)] = tools(tracer, [sys.executable, "-c", PARENT, folder])
    assert one.cwd == ""


def behind_the_end_of_true(values: list[Value]) -> list[Value]:
    deadline = time.monotonic() + 30
    for value in values:
        while isinstance(value, ProcessExec) and value.argv[:1] == ("/bin/true",) and Path(f"/proc/{value.pid}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.001)
    return values


def test_a_command_line_that_was_gone_before_it_was_copied_whole_is_said_to_be_cut(tracer: Tracer) -> None:
    script = '/bin/true "$0"; /bin/true short; true'
    records = recorded(Altered(tracer, behind_the_end_of_true), ["/bin/sh", "-c", script, "x" * 6000], statuses=[0])
    long, short = [one for one in of(records, ProcessSeen) if one.argv[:1] == ("/bin/true",)]
    assert long.argv_cut and long.argv[1] == "x" * len(long.argv[1]) and 4000 < len(long.argv[1]) < 6000
    assert (short.argv, short.argv_cut) == (("/bin/true", "short"), False)
