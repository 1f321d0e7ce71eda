"""The lock of a real cgroup: a process in it says what it is told to, a server outside says what came."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.kernel import cgroup, skip_without_kernel
from support.locking import HELLO, RECORD, dying_agent, talking

from chaperone.agent.hold.layout import STALE_NS
from chaperone.agent.hold.lock import Lock, _attached, take_off, unlock
from chaperone.agent.trace.governed import opened
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.workload.processes import now_ns

pytestmark = pytest.mark.kernel
PROXY, CLIENT_HELLO = b"CONNECT api:443 HTTP/1.1\r\n\r\n", bytes.fromhex("16030100320100002e0303") + bytes(44)


@pytest.fixture
def path() -> Iterator[Path]:
    skip_without_kernel()
    with cgroup() as made:
        yield made


@dataclass(slots=True)
class Agent:
    """The lock's agent: lives until it is `silent`."""

    lock: Lock
    is_alive: bool = True
    is_over: bool = False

    def beat(self) -> None:
        while not self.is_over:
            if self.is_alive:
                self.lock.beat(now_ns())
            time.sleep(0.05)

    def falls_silent(self) -> None:
        """For longer than it may."""
        self.is_alive = False
        time.sleep(0.2)
        self.lock._beaten = 0
        self.lock.beat(now_ns() - 2 * STALE_NS)
        self.lock._beaten = 0


@pytest.fixture
def agent(path: Path, tracer: Tracer) -> Iterator[Agent]:
    made = Agent(Lock(tracer.kernel, now_ns()))
    made.lock.put_on(path, is_strict=True)
    beating = threading.Thread(target=made.beat)
    beating.start()
    yield made
    made.is_over = True
    beating.join()
    while tracer.poll(0):
        pass  # what was denied is nothing to the next test of this tracer


@pytest.mark.parametrize("way", [["127.0.0.1"], ["::1"], ["::1", "options"]])
def test_while_nobody_lives_no_tls_leaves_and_afterwards_all_of_it(path: Path, agent: Agent, way: list[str]) -> None:
    with talking(path, *way) as talk:
        talk.say(HELLO)
        talk.comes(HELLO)
        agent.falls_silent()
        talk.say(RECORD)
        talk.nothing_comes()
        assert agent.lock.dropped
        agent.is_alive = True
        talk.comes(RECORD)


def test_a_connection_that_begins_meanwhile_says_no_hello(path: Path, agent: Agent) -> None:
    agent.falls_silent()
    with talking(path) as talk:
        talk.say(HELLO)
        talk.nothing_comes()


def test_what_never_was_tls_goes_on_but_no_tls_behind_it(path: Path, agent: Agent) -> None:
    """As through a proxy: CONNECT, then TLS."""
    with talking(path) as talk:
        talk.say(b"CONNECT api:443 HTTP/1.1\r\n\r\n")
        talk.comes(b"CONNECT api:443 HTTP/1.1\r\n\r\n")
        agent.falls_silent()
        talk.say(b"X: y\r\n\r\n")
        talk.comes(b"X: y\r\n\r\n")
        talk.say(HELLO)
        talk.nothing_comes()


@pytest.mark.parametrize("before", [b"", PROXY], ids=["direct", "behind a proxy"])
@pytest.mark.parametrize("cut", [1, 2, 5, 6])
@pytest.mark.parametrize("is_alive", [True, False], ids=["agent", "no agent"])
def test_a_hello_in_pieces_does_not_leave(path: Path, agent: Agent, before: bytes, cut: int, is_alive: bool) -> None:
    """Where TLS that nobody reads may not: no more of it than its first bytes, which say nothing."""
    agent.lock.put_on(path, is_strict=True, covers=True)
    with talking(path) as talk:
        if before:
            talk.say(before)
            talk.comes(before)
        if not is_alive:
            agent.falls_silent()
        talk.say(CLIENT_HELLO[:cut])
        if cut < 6 and (is_alive or cut == 1):
            talk.comes(CLIENT_HELLO[:cut])
        talk.say(CLIENT_HELLO[cut:])
        talk.nothing_comes()


def test_what_only_begins_like_a_hello_goes_on(path: Path, agent: Agent) -> None:
    agent.lock.put_on(path, is_strict=True, covers=True)
    with talking(path) as talk:
        for said in (PROXY, CLIENT_HELLO[:1], CLIENT_HELLO[:1], CLIENT_HELLO[:5], b"\x02", CLIENT_HELLO[:3], b"\r\n\r\n"):
            talk.say(said)
            talk.comes(said)
        talk.say(CLIENT_HELLO)
        talk.nothing_comes()


def test_the_middle_of_a_record_does_not_leave_either(path: Path, agent: Agent) -> None:
    with talking(path) as talk:
        talk.say(HELLO)
        talk.comes(HELLO)
        agent.falls_silent()
        talk.say(b"more of a record that has begun")
        talk.nothing_comes()


def test_others_are_not_concerned(path: Path, agent: Agent) -> None:
    agent.falls_silent()
    with cgroup() as other, talking(other) as talk:
        talk.say(HELLO)
        talk.comes(HELLO)


def test_it_outlives_its_agent_and_the_next_one_takes_it_over(path: Path, tracer: Tracer) -> None:
    with talking(path) as talk:
        with dying_agent(path):
            talk.say(HELLO)
            talk.comes(HELLO)
        talk.say(RECORD)
        talk.nothing_comes()
        following = Lock(tracer.kernel, now_ns())
        following.put_on(path, is_strict=True)
        assert on(path) == 1
        beating = Agent(following)
        thread = threading.Thread(target=beating.beat)
        thread.start()
        talk.comes(RECORD)
        beating.is_over = True
        thread.join()
        assert on(path) == 1


def test_it_can_be_taken_off(path: Path, agent: Agent) -> None:
    agent.falls_silent()
    assert take_off(path) == 1
    assert (on(path), take_off(path)) == (0, 0)
    with talking(path) as talk:
        talk.say(HELLO)
        talk.comes(HELLO)


def on(path: Path) -> int:
    with opened(path) as directory:
        return len(_attached(directory))


def test_a_cgroup_that_is_gone_is_an_error(tmp_path: Path) -> None:
    skip_without_kernel()
    with pytest.raises(OSError, match="No such file"):
        take_off(tmp_path / "gone")
    with pytest.raises(OSError, match="lock"):
        take_off(tmp_path)


def test_all_below_are_unlocked(path: Path, agent: Agent) -> None:
    with cgroup(path) as inner:
        agent.lock.put_on(inner, is_strict=True)
        assert unlock([path]) == 2
        assert (on(path), on(inner)) == (0, 0)


def test_putting_it_on_twice_is_putting_it_on(path: Path, agent: Agent) -> None:
    agent.lock.put_on(path, is_strict=True)
    assert on(path) == 1
