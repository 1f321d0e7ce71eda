import os
import subprocess
from collections.abc import Iterator

from chaperone.agent.hold.layout import Call, CallKey
from chaperone.agent.trace import abandoned as module
from chaperone.agent.trace.abandoned import MANY, PAUSE_S, Abandoned
from chaperone.agent.trace.layout import Counters
from chaperone.agent.trace.shares import Shares

GONE = 2**22 + 7  # no process has this number


class Kernel:
    """Calls under way, by process; all of workload 3."""

    def __init__(self, calls: dict[int, int]) -> None:
        self.calls = {bytes(key): key for pid, count in calls.items() for key in (CallKey(at, 1, pid) for at in range(count))}
        self.entered, self.walks = len(self.calls), 0

    def entry(self, name: str, _mirror: object, key: CallKey | int) -> Counters | Call | None:
        if name == "counters":
            return Counters(entered=self.entered)
        assert isinstance(key, CallKey)
        return Call(slot=3) if bytes(key) in self.calls else None

    def entries(self, _name: str, _key: object) -> Iterator[CallKey]:
        self.walks += 1
        yield from list(self.calls.values()) * 2  # a map that changes gives some twice

    def remove(self, _name: str, key: CallKey) -> bool:
        return self.calls.pop(bytes(key), None) is not None


def made(calls: dict[int, int]) -> tuple[Kernel, Shares, Abandoned]:
    kernel = Kernel(calls)
    shares = Shares(kernel)  # type: ignore[arg-type]
    return kernel, shares, Abandoned(kernel, shares)  # type: ignore[arg-type]


def test_calls_of_ended_processes_are_taken_out_once_there_are_many() -> None:
    kernel, shares, abandoned = made({GONE: MANY, os.getpid(): 3})
    abandoned.step(1)
    assert kernel.walks == 0
    abandoned.saw_end(3)
    abandoned.step(1)
    assert {key.pid for key in kernel.calls.values()} == {os.getpid()}
    assert shares.calls_of(3) == MANY
    abandoned.saw_end(3)
    abandoned.step(2 + PAUSE_S)
    assert kernel.walks == 1


def test_few_are_left_where_they_are() -> None:
    kernel, shares, abandoned = made({GONE: MANY - 1})
    abandoned.saw_end(3)
    abandoned.step(1)
    assert (kernel.walks, shares.calls_of(3)) == (0, 0)


def test_many_that_are_under_way_are_not_walked_again_and_again() -> None:
    kernel, _, abandoned = made({os.getpid(): MANY})
    for tenth in range(1, 11):
        abandoned.saw_end(3)
        abandoned.step(1 + PAUSE_S * tenth / 10)
    assert kernel.walks == 1
    abandoned.step(2 + 2 * PAUSE_S)
    assert kernel.walks == 2
    abandoned.step(3 + 3 * PAUSE_S)
    assert kernel.walks == 2


def test_a_number_is_given_back_with_nothing_in_the_table() -> None:
    kernel, shares, abandoned = made({GONE: 2})
    abandoned.forget(3)
    abandoned.forget(3)
    assert (kernel.calls, shares.calls_of(3), kernel.walks) == ({}, 2, 1)


def test_a_process_that_nobody_asked_about_yet_has_ended() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not module._is_living(process.pid)
    assert module._is_living(os.getpid())
