from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.kernel import cgroup, skip_without_kernel
from support.locking import HELLO, RECORD, dying_agent, talking

from chaperone.agent.hold.opening import open_all
from chaperone.agent.workload.processes import now_ns

pytestmark = pytest.mark.kernel
SECOND = 1_000_000_000


@contextmanager
def left_behind() -> Iterator[Path]:
    """A cgroup below a cgroup, and the lock on it of an agent that is dead for too long."""
    skip_without_kernel()
    with cgroup() as top:
        inner = top / "inner"
        inner.mkdir()
        with dying_agent(inner):
            pass
        try:
            yield inner
        finally:
            inner.rmdir()


def test_a_dead_agents_lock_opens_for_a_while() -> None:
    with left_behind() as inner, talking(inner) as talk:
        talk.say(HELLO)
        talk.nothing_comes()
        assert open_all([inner.parent], now_ns() + 3600 * SECOND) == 1
        talk.comes(HELLO)
        assert open_all([inner.parent], 0) == 1
        talk.say(RECORD)
        talk.nothing_comes()
        open_all([inner.parent], now_ns() - 1)  # its time is over
        talk.nothing_comes()


def test_where_there_is_no_lock_nothing_is_opened() -> None:
    skip_without_kernel()
    with cgroup() as path:
        assert open_all([path], 1) == 0
