"""Orders to end something: who it is looked up by hand-made tables, what ends is real."""

import subprocess
import time
from pathlib import Path

from chaperone.agent.ending.endings import Endings
from chaperone.agent.workload.lineage import Lineage
from chaperone.agent.workload.processes import started_ns
from chaperone.agent.workload.sessions import Session
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import ProcessId, SessionId
from chaperone.proto.records import Outcome, ProcessSeen, SessionStarted

KILL = wire.Kill
SESSION = SessionId("5" * 32)


class Sockets:
    def place_of(self, id_: str) -> tuple[str, int] | None:
        return (SESSION, 1) if id_ == "socket" else None


def endings(cgroup: Path, said: list[Outcome]) -> Endings:
    session = Session(SESSION, cgroup, SessionStarted(SESSION, "w", 1))
    return Endings(lambda: [session], Lineage("boot", {1: SESSION}), Sockets(), said.append)


def ordered(target: "KILL.Target.ValueType", id_: str, order: str = "kill-1") -> wire.Order:
    return wire.Order(kill=wire.Kill(target=target, id=id_, order=order))


def carried_out(made: Endings, order: wire.Order) -> None:
    made.take(order)
    made.step()
    made.close()


def test_a_process_of_ours_ends_and_that_is_said(tmp_path: Path) -> None:
    said: list[Outcome] = []
    made, process = endings(tmp_path, said), subprocess.Popen(["sleep", "600"])
    key = process.pid, started_ns(process.pid) or 0
    made.lineage.living[key] = ProcessSeen(ProcessId("p"), SESSION, 1, process.pid)
    carried_out(made, ordered(KILL.PROCESS, "p"))
    assert process.wait(30) == -9
    [outcome] = said
    assert (outcome.hold, outcome.order, outcome.result) == ("kill-1", "kill", "ended")
    assert abs(outcome.time - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 60 * 10**9


def test_a_session_and_a_connection_of_ours(tmp_path: Path) -> None:
    said: list[Outcome] = []
    (tmp_path / "cgroup.procs").write_text("")
    made = endings(tmp_path, said)
    carried_out(made, ordered(KILL.WORKLOAD, SESSION))
    carried_out(made, ordered(KILL.CONNECTION, "socket", "kill-2"))
    assert [(one.hold, one.result) for one in said] == [
        ("kill-1", "ended"),
        ("kill-2", "no process of its workload has its socket any more"),
    ]


def test_what_is_another_agents_is_not_spoken_of(tmp_path: Path) -> None:
    said: list[Outcome] = []
    made = endings(tmp_path, said)
    for target in (KILL.PROCESS, KILL.WORKLOAD, KILL.CONNECTION):
        carried_out(made, ordered(target, "else"))
    carried_out(made, wire.Order(hold="h", kill=wire.Kill()))
    carried_out(made, wire.Order(hold="h", skip=wire.Skip()))
    assert said == []


def test_what_the_kernel_refuses_is_said(tmp_path: Path) -> None:
    said: list[Outcome] = []
    made = endings(tmp_path, said)

    def refused() -> str:
        raise PermissionError(1, "Operation not permitted")

    made._carry_out("kill-9", refused)
    made.step()
    assert [one.result for one in said] == ["it could not be ended: Operation not permitted"]
