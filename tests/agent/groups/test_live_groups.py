"""Live: cgroups that are made, entered and removed in an area, as the kernel tells of them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
from support import tls_clients
from support.kernel import Seen, Workload, cgroup, skip_without_kernel
from support.tls_server import TlsServer, libssl

from chaperone.agent.groups.values import GroupEntered, GroupGone, GroupMade
from chaperone.agent.sockets.values import SocketOpened
from chaperone.agent.trace.governed import group_id
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Attached, ProcessExec

pytestmark = pytest.mark.kernel
HELLO = tls_clients.SYNC.format(sizes=[(10, 10)])


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=4096)) as opened:
        assert isinstance(opened.attach(libssl()), Attached)
        yield opened


@pytest.fixture
def area(tracer: Tracer) -> Iterator[Workload]:
    with cgroup(name="kubepods") as path:
        number = tracer.govern_area(path)
        yield Workload(tracer, path)
        tracer.release(number)


def command(server: TlsServer) -> list[str]:
    return tls_clients.command(HELLO, server.port, server.certificate)


def numbers(seen: Seen) -> dict[int, int]:
    return {value.id: value.workload for value in seen.of(GroupEntered)}


def test_a_cgroup_is_told_of_when_it_is_made_entered_and_gone(area: Workload, server: TlsServer) -> None:
    with cgroup(area.path, "pod") as pod, cgroup(pod, "container") as container:
        ids = [group_id(pod), group_id(container)]
        seen = area.run(command(server), path=container)
        assert [value.id for value in seen.of(GroupMade)] == ids
        below = f"{area.path.name}/{pod.name}"
        assert [value.path.removeprefix("/") for value in seen.of(GroupMade)] == [below, f"{below}/{container.name}"]
        (number,) = numbers(seen).values()
        assert numbers(seen) == {ids[1]: number}
    assert [(value.id, value.workload) for value in area.rest().of(GroupGone)] == [(ids[1], number), (ids[0], 0)]


def test_all_that_the_first_process_does_has_the_cgroups_number(area: Workload, server: TlsServer) -> None:
    with cgroup(area.path, "container") as container:
        seen = area.run(command(server), path=container)
    (number,) = numbers(seen).values()
    assert [tls.workload for tls in seen.objects()] == [number]
    assert seen.conversations() == server.finished()
    assert {value.workload for value in (*seen.of(ProcessExec), *seen.of(SocketOpened))} == {number}
    assert seen.of(SocketOpened), "the area's hook met it"


def test_cgroups_side_by_side_get_numbers_of_their_own(area: Workload, server: TlsServer) -> None:
    with cgroup(area.path, "one") as one, cgroup(area.path, "other") as other:
        first, second = area.run(command(server), path=one), area.run(command(server), path=other)
    assert len(set((numbers(first) | numbers(second)).values())) == 2


def test_what_is_made_in_one_with_a_number_belongs_to_it(area: Workload, server: TlsServer) -> None:
    with cgroup(area.path, "container") as container:
        (number,) = numbers(area.run(["/bin/true"], path=container)).values()
        with cgroup(container, "nested") as nested, cgroup(nested, "deeper") as deeper:
            seen = area.run(command(server), path=deeper)
            assert [tls.workload for tls in seen.objects()] == [number]
            assert not seen.of(GroupEntered) and not seen.of(GroupMade)
        assert not area.rest().of(GroupGone)


def test_what_is_ignored_is_not_seen_nor_what_is_made_in_it(area: Workload, server: TlsServer) -> None:
    with cgroup(area.path, "container") as container:
        (number,) = numbers(area.run(["/bin/true"], path=container)).values()
        area.tracer.ignore(number, group_id(container), container)
        with cgroup(container, "nested") as nested:
            for path in (container, nested):
                assert area.run(command(server), path=path).values == []


def test_a_cgroup_that_was_there_before_is_settled_once(tracer: Tracer, server: TlsServer) -> None:
    with cgroup(name="kubepods") as path, cgroup(path, "container") as container, cgroup(container, "nested") as nested:
        running = Workload(tracer, path).start(["sleep", "60"], path=nested)
        while (nested / "cgroup.procs").read_text().split() != [str(running.pid)]:
            continue
        while Path(f"/proc/{running.pid}/comm").read_text() != "sleep\n":  # what it executes later would settle it first
            continue
        number = tracer.govern_area(path)
        settled = tracer.settle(nested)
        assert settled > 0 and tracer.settle(nested) == 0
        seen = Workload(tracer, path).run(command(server), path=nested)
        assert [tls.workload for tls in seen.objects()] == [settled]
        tracer.release(number)
        running.kill()
        running.wait()


def test_a_number_is_the_kernels_word_when_its_record_was_lost(area: Workload, server: TlsServer) -> None:
    with cgroup(area.path, "container") as container:
        (number,) = numbers(area.run(["/bin/true"], path=container)).values()
        assert area.tracer.cgroups.owner(number) == group_id(container)
    assert area.tracer.cgroups.owner(number) == 0


def test_two_processors_that_meet_a_cgroup_at_once_agree(area: Workload, server: TlsServer) -> None:
    """Eight processes execute in it at the same moment."""
    for turn in range(10):
        with cgroup(area.path, f"container{turn}") as container:
            gate = Barrier(8)

            def enter(path: Path = container, gate: Barrier = gate) -> None:
                gate.wait()
                subprocess.run(["/bin/sh", "-c", f"echo 0 > {path}/cgroup.procs && exec {sys.executable} -c ''"], check=True)

            threads = [Thread(target=enter) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        seen = area.rest()
        (number,) = numbers(seen).values()
        assert {value.workload for value in seen.of(ProcessExec)} == {number}
