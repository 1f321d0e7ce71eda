"""The agent with the rights that its container has: SYS_RESOURCE, for kernels before 5.11, is the only one that may lack."""

import subprocess
import sys

import msgpack
import pytest
from support.chart import bounded, named, rendered
from support.kernel import skip_without_kernel

from chaperone.agent.trace.btf import Btf
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.offsets import offsets
from chaperone.agent.trace.tracer import TracerSettings

pytestmark = pytest.mark.kernel
COMPILE = [sys.executable, "-I", "-m", "chaperone.agent.trace.compiler"]
LOAD = """
from chaperone.agent.trace.loading import refused
from chaperone.agent.trace.tracer import Tracer, TracerSettings
with Tracer(TracerSettings(ring_pages=16)) as tracer:
    print(list(refused(tracer.kernel)))
"""


@pytest.fixture
def under() -> list[str]:
    skip_without_kernel()
    (container,) = named(rendered({}), "DaemonSet", "chaperone-agent")["spec"]["template"]["spec"]["containers"]
    return bounded(container, "SYS_RESOURCE")


def test_it_compiles_the_same_programs(under: list[str]) -> None:
    """Also where it may not see the kernel's addresses, by which bcc tells what there is."""
    settings = TracerSettings()
    defines = {"RING_PAGES": settings.ring_pages, "SPINNERS": settings.spinners, "LOCK_STALE_NS": 1, **offsets(Btf.of_kernel())}
    asked = msgpack.packb((flatten("chaperone.c"), defines))
    mine, its = (subprocess.run([*how, *COMPILE], input=asked, stdout=subprocess.PIPE, check=True).stdout for how in ([], under))
    assert mine == its


def test_this_kernel_takes_them_all(under: list[str]) -> None:
    done = subprocess.run([*under, sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "[]\n", done.stderr
