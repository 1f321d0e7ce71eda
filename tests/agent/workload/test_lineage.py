"""Processes from fork to exit, also those that /proc never showed."""

import os
import subprocess
from dataclasses import replace

from chaperone.agent.trace.values import ProcessExec, ProcessExit, ProcessFork
from chaperone.agent.workload.lineage import LIMIT, Lineage
from chaperone.agent.workload.processes import started_ns
from chaperone.proto.ids import SessionId, process_id
from chaperone.proto.records import ProcessEnded

GONE = 2**22 + 5  # beyond any pid
SESSION = SessionId("s")


def lineage() -> Lineage:
    return Lineage("boot", {1: SESSION})


def executed(pid: int, started: int = 10, argv: tuple[str, ...] = ("kubectl", "get")) -> ProcessExec:
    return ProcessExec(pid, started, 20, 1, "/usr/bin/kubectl", argv, False, 1000, 7, 5)


def test_an_exec_names_program_arguments_and_parent() -> None:
    seen = lineage().executed(executed(GONE))
    assert (seen.process, seen.session, seen.pid) == (process_id("boot", GONE, 10), SESSION, GONE)
    assert (seen.exe, seen.argv, seen.uid) == ("/usr/bin/kubectl", ("kubectl", "get"), 1000)
    assert seen.parent == process_id("boot", 7, 5)


def test_what_proc_still_knows_is_taken_from_there() -> None:
    with subprocess.Popen(["sleep", "100"], cwd="/tmp") as process:
        seen = lineage().executed(executed(process.pid))
        process.kill()
    assert seen.cwd == "/tmp"


def test_a_child_that_lived_a_millisecond_has_its_parents_program_and_folder() -> None:
    known = lineage()
    with subprocess.Popen(["sleep", "100"], cwd="/tmp") as process:
        parent = known.executed(executed(process.pid, 30))
        process.kill()
    child = known.forked(ProcessFork(GONE, 40, 41, 1, 1000, process.pid, 30))
    assert (child.exe, child.argv, child.cwd, child.parent) == (parent.exe, parent.argv, "/tmp", parent.process)
    grandchild = known.executed(executed(GONE, 40))
    assert grandchild.cwd == ""  # it may have gone elsewhere


def test_a_program_that_is_gone_ran_where_the_kernel_saw_it() -> None:
    seen = lineage().executed(replace(executed(GONE), exe="./tool", cwd="/srv/place"))
    assert (seen.cwd, seen.exe) == ("/srv/place", "/srv/place/tool")


def test_long_arguments_are_completed_from_proc() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        value = ProcessExec(process.pid, 10, 20, 1, "/bin/sleep", ("sl",), True, 0, 7, 5)
        os.sched_yield()
        seen = lineage().executed(value)
        process.kill()
    assert (seen.argv, seen.argv_cut) in ((("sleep", "100"), False), (("sl",), True))


def test_arguments_that_nobody_can_complete_are_said_to_be_cut_also_of_what_was_forked() -> None:
    known = lineage()
    seen = known.executed(replace(executed(GONE, argv=("kubectl", "ge")), argv_cut=True))
    assert (seen.argv, seen.argv_cut) == (("kubectl", "ge"), True)
    assert known.forked(ProcessFork(GONE + 1, 40, 41, 1, 1000, GONE, 10)).argv_cut
    assert not known.executed(executed(GONE)).argv_cut


def test_arguments_are_not_completed_with_those_of_a_later_program() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        seen = lineage().executed(replace(executed(process.pid, argv=("kubectl", "get", "po")), argv_cut=True))
        process.kill()
    assert (seen.argv, seen.argv_cut) == (("kubectl", "get", "po"), True)


def test_an_exit_has_a_status_and_ends_the_memory_of_it() -> None:
    known = lineage()
    known.executed(executed(GONE))
    assert known.exited(ProcessExit(GONE, 10, 50, 1, 130)) == ProcessEnded(process_id("boot", GONE, 10), 50, 130)
    assert known.living == {}


def test_a_process_that_began_before_us_is_described_once_when_it_speaks() -> None:
    known, started = lineage(), started_ns(os.getpid()) or 0
    (seen,) = known.met((os.getpid(), started + 123), 1, 99)
    assert (seen.process, seen.time) == (process_id("boot", os.getpid(), started + 123), 99)
    assert seen.argv
    assert list(known.met((os.getpid(), started + 123), 1, 100)) == []


def test_a_number_that_now_belongs_to_another_process_tells_nothing() -> None:
    (seen,) = lineage().met((os.getpid(), 1), 1, 99)
    assert (seen.exe, seen.argv) == ("", ())


def test_processes_whose_end_was_never_told_are_forgotten_in_time() -> None:
    known = lineage()
    for number in range(LIMIT + 10):
        known.forked(ProcessFork(GONE + number, 10, 20, 1, 1000, 7, 5))
    assert len(known.living) == LIMIT
    assert (GONE, 10) not in known.living


def test_what_ran_before_the_recording_is_known_until_it_becomes_another_program() -> None:
    known = lineage()
    list(known.met((GONE, 10), 1, 5))
    known.forked(ProcessFork(GONE + 1, 40, 41, 1, 1000, GONE, 10))
    assert known.was_before((GONE, 10)) and known.was_before((GONE + 1, 40)), "a child has its parent's objects"
    known.executed(executed(GONE))
    assert not known.was_before((GONE, 10)) and known.was_before((GONE + 1, 40))
    known.exited(ProcessExit(GONE + 1, 40, 50, 1, 0))
    assert not known.was_before((GONE + 1, 40))


def test_a_child_of_a_program_that_was_executed_since_is_not_from_before() -> None:
    known = lineage()
    known.executed(executed(GONE))
    known.forked(ProcessFork(GONE + 1, 40, 41, 1, 1000, GONE, 10))
    assert not known.was_before((GONE + 1, 40))


def test_a_sessions_status_is_its_first_programs() -> None:
    known = Lineage("boot", {1: SessionId("s")})
    for pid in (5, 6):
        known.executed(ProcessExec(pid, 10, 12, 1, "/bin/sh", ("sh",), False, 0, 1, 1))
    assert known.status_of(SessionId("s")) == -1
    known.exited(ProcessExit(6, 10, 13, 1, 9))
    known.exited(ProcessExit(5, 10, 14, 1, 3))
    assert known.status_of(SessionId("s")) == 3


def test_the_processes_of_a_session_are_forgotten() -> None:
    known = Lineage("boot", {1: SessionId("s"), 2: SessionId("t")})
    for pid, workload in ((5, 1), (6, 2)):
        known.executed(ProcessExec(pid, 10, 12, workload, "/bin/sh", ("sh",), False, 0, 1, 1))
    assert known.forget(SessionId("s")) == {known.id_of((5, 10))}
    assert list(known.living) == [(6, 10)] and known.status_of(SessionId("s")) == -1


def test_living_processes_and_the_first_ones_status_move_to_the_next_session() -> None:
    known = Lineage("boot", {1: SessionId("s"), 2: SessionId("t")})
    for pid, workload in ((5, 1), (6, 2)):
        known.executed(ProcessExec(pid, 10, 12, workload, "/bin/sh", ("sh",), False, 0, 1, 1))
    [moved] = known.moved(SessionId("s"), SessionId("u"), 99)
    assert (moved.pid, moved.session, moved.time) == (5, "u", 99) and known.living[(5, 10)] == moved
    known.sessions = {1: SessionId("u"), 2: SessionId("t")}
    known.exited(ProcessExit(5, 10, 100, 1, 7))
    assert (known.status_of(SessionId("u")), known.status_of(SessionId("s"))) == (7, -1)
