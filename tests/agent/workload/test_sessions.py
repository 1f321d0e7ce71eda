"""Sessions of governed cgroups."""

from dataclasses import replace
from pathlib import Path

from chaperone.agent.settings import SessionOptions, Settings, parse
from chaperone.agent.workload.sessions import sessions_of
from chaperone.proto.ids import session_id
from chaperone.proto.records import Note, SessionEnded, SessionStarted


def settings(*arguments: str) -> Settings:
    parsed = parse(["--cgroup", "/a", "--node", "n", *arguments])
    assert isinstance(parsed, Settings)
    return parsed


def test_a_run_is_the_session_its_launcher_named() -> None:
    told = SessionOptions("run-1", "ann", apiservers=("h:1",), notes=("no kubeconfig",))
    (session,) = sessions_of(replace(settings(), session=told))
    started, note = session.begin()
    assert started == SessionStarted(session_id("run-1", session.started.time), "run-1", session.started.time, "ann", (), "", "n", ("h:1",))
    assert isinstance(note, Note)
    assert note.complete


def test_on_a_node_each_cgroup_is_a_workload_of_its_own() -> None:
    first, second = sessions_of(settings("--cgroup", "/b"))
    assert (first.cgroup, second.cgroup) == (Path("/a"), Path("/b"))
    assert first.id != second.id
    assert second.started.workload == "/b"


def test_processes_left_behind_are_noted_before_the_end() -> None:
    (session,) = sessions_of(settings())
    note, ended = session.end(7, 2)
    assert isinstance(note, Note)
    assert note.text.startswith("2 of its processes")
    assert isinstance(ended, SessionEnded)
    assert ended.status == 7
    assert len(list(session.end(0, 0))) == 1
