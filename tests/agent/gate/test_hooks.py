"""Live: which hooks are in place, where the kernel lets cgroup programs send signals and where it doesn't. What they do: test_live_gate."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import cgroup, skip_without_kernel

from chaperone.agent.gate.hooks import ConnectHooks
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.tracer import Tracer, TracerSettings

pytestmark = pytest.mark.kernel


class Refusing(Kernel):
    """As a kernel up to 6.12."""

    def __init__(self, kernel: Kernel) -> None:
        self.__dict__.update(kernel.__dict__)

    def load_sock_addr(self, program: str, attach_type: int) -> int:
        raise OSError(22, "cannot use helper bpf_send_signal_thread#117")


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=256)) as opened:
        yield opened.kernel


@pytest.fixture
def path() -> Iterator[Path]:
    with cgroup() as made:
        yield made


def test_two_links_on_each_cgroup_or_one_tracepoint_for_all(kernel: Kernel, path: Path) -> None:
    hooks = ConnectHooks(kernel)
    hooks.attach(1, path)
    hooks.attach(2, path)
    assert [len(links) for links in hooks.links.values()] == ([2, 2] if hooks.is_by_cgroup else [0, 0])
    assert (hooks.tracepoint < 0) == hooks.is_by_cgroup
    hooks.detach(1)
    assert list(hooks.links) == [2]
    hooks.close()
    assert hooks.links == {}


def test_a_kernel_that_refuses_gets_the_tracepoint_once(kernel: Kernel, path: Path) -> None:
    hooks = ConnectHooks(Refusing(kernel))
    hooks.attach(1, path)
    opened = hooks.tracepoint
    hooks.attach(2, path)
    assert (hooks.is_by_cgroup, hooks.links, hooks.tracepoint) == (False, {1: (), 2: ()}, opened)
    assert "bpf" in str(Path(f"/proc/self/fd/{opened}").readlink())
    hooks.close()
    assert hooks.tracepoint == -1


@pytest.mark.parametrize("kind", [Kernel, Refusing])
def test_who_attaches_when_it_is_closed_already_leaves_nothing_behind(kernel: Kernel, kind: type[Kernel], path: Path) -> None:
    """The gate's thread may fail while another one is about to watch; what it left could not be attached again, either."""
    hooks = ConnectHooks(Refusing(kernel) if kind is Refusing else kernel)
    hooks.close()
    hooks.attach(1, path)
    assert (hooks.links, hooks.tracepoint) == ({}, -1)
