"""The agent's memory is in no core file; it has as many descriptors as it may."""

import subprocess
import sys

GUARDED = """
import ctypes, resource
from chaperone.agent.own_process import guard
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))
guard()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_guarded_process_leaves_no_dump_and_may_open_all_it_is_allowed() -> None:
    said = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["0", "4096", "4096"]


ASIDE = """
import gc
from chaperone.agent.own_process import set_aside
set_aside()
print(gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000, gc.get_threshold()[0] > 1000)
"""


def test_what_is_set_aside_is_not_looked_through_again_and_the_rest_seldom() -> None:
    said = subprocess.run([sys.executable, "-c", ASIDE], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "True", "True"]
