"""The agent at work, with a kernel made of lists and an outbox that is read directly."""

import os
from pathlib import Path

import zstandard
from support.outboxes import waiting
from support.tracer_double import TracerDouble

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.recording import Ended, Recording, told
from chaperone.agent.settings import Settings, parse
from chaperone.agent.trace.values import Lost, ProcessExec, ProcessExit, ProcessFork, Tls, TlsBytes, TlsClosed, TlsLost, Value
from chaperone.proto.records import (
    Cause,
    Chunk,
    Direction,
    Loss,
    Note,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    StreamOpened,
    unpack,
)

PID = 2**22 + 5
TLS = Tls(PID, 10, 1, 30, "go", 1)


def recorded(tracer: TracerDouble, ended: Ended | None = None, cgroup: str = "/c", options: tuple[str, ...] = ()) -> list[Record]:
    settings = parse(["--cgroup", cgroup, "--attach", "/bin/kubectl", "--attach", "/bin/sh", *options])
    assert isinstance(settings, Settings)
    outbox = Outbox(Limits())
    recording = Recording(tracer, outbox, settings)
    recording.step()
    recording.end(ended or Ended(0))
    return waiting(outbox)


def test_a_run_from_its_first_exec_to_its_end() -> None:
    polls = [
        [ProcessFork(PID, 10, 11, 1, 0, 1, 1), ProcessExec(PID, 10, 12, 1, "/bin/kubectl", ("kubectl",), False, 0, 1, 1)],
        [TlsBytes(TLS, Direction.OUT, 0, b"GET", 31), TlsClosed(TLS, 40, 3, 0), ProcessExit(PID, 10, 41, 1, 0)],
    ]
    kinds = [type(record) for record in recorded(TracerDouble(polls), Ended(3))]
    assert kinds == [SessionStarted, ProcessSeen, ProcessSeen, StreamOpened, Chunk, StreamClosed, ProcessEnded, Note, SessionEnded]


def test_the_status_of_cmd_is_the_sessions() -> None:
    assert recorded(TracerDouble(), Ended(143))[-1].status == 143  # type: ignore[union-attr]


def test_what_never_came_out_of_the_ring_is_stated_at_the_end() -> None:
    records = recorded(
        TracerDouble([[TlsBytes(TLS, Direction.OUT, 0, b"GET", 31)]], [TlsLost(TLS, Direction.OUT, 3, 9, 50, Cause.RING_FULL)])
    )
    assert [(loss.position, loss.size) for loss in records if isinstance(loss, Loss)] == [(4, 9)], "behind what came before the recording"


def test_what_the_kernel_could_not_do_makes_the_recording_incomplete() -> None:
    notes = [record for record in recorded(TracerDouble(counts=Lost(events=2, calls=1))) if isinstance(record, Note)]
    assert [(note.complete, note.text.split()[0]) for note in notes] == [(False, "2"), (False, "1")]


def test_named_files_without_tls_are_noted_and_harm_nothing() -> None:
    tracer = TracerDouble()
    tracer.uncovered = {"sh"}
    (note,) = [record for record in recorded(tracer) if isinstance(record, Note)]
    assert (note.text, note.complete) == ("no TLS functions of their own: /bin/sh", True)


def test_the_launchers_words_and_the_end_of_its_line_are_told_apart() -> None:
    read, write = os.pipe()
    assert told(read) is None
    os.write(write, b'{"status": 0}\n')
    assert told(read) == b'{"status": 0}\n'
    os.close(write)
    assert told(read) == b""
    os.close(read)
    assert told(-1) is None


def incomplete(records: list[Record]) -> list[str]:
    return [record.text for record in records if isinstance(record, Note) and not record.complete]


def test_a_process_that_left_its_cgroup_makes_the_recording_incomplete(tmp_path: Path) -> None:
    """In its own session. One that ended, and whose end we were not told, has left nothing."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one/cgroup.procs").write_text(f"{PID + 1}\n")
    (tmp_path / "other").mkdir()
    pids = (os.getpid(), PID, PID + 1)
    polls: list[list[Value]] = [[ProcessExec(pid, 10, 12, 1, "/bin/sh", ("sh",), False, 0, 1, 1) for pid in pids]]
    records = recorded(TracerDouble(polls), cgroup=str(tmp_path / "one"), options=("--cgroup", str(tmp_path / "other")))
    [note] = [record for record in records if isinstance(record, Note) and not record.complete]
    first, _second = (record.session for record in records if isinstance(record, SessionStarted))
    assert note.text == "1 of its processes left its cgroup: what they did there is not recorded"
    assert note.session == first


def test_a_process_that_ends_while_we_look_has_not_left(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("")
    began, ended = ProcessExec(PID, 10, 12, 1, "/bin/sh", ("sh",), False, 0, 1, 1), ProcessExit(PID, 10, 41, 1, 0)
    assert incomplete(recorded(TracerDouble([[began], [], [ended]]), cgroup=str(tmp_path))) == []


def test_what_is_dropped_on_purpose_is_lost_and_said() -> None:
    polls: list[list[Value]] = [[TlsBytes(TLS, Direction.OUT, at, b"GET", 31) for at in (0, 3, 6, 9)]]
    records = recorded(TracerDouble(polls), options=("--simulate-drops", "2"))
    assert [(loss.position, loss.size, loss.cause) for loss in records if isinstance(loss, Loss)] == [
        (4, 3, Cause.DROPPED),
        (10, 3, Cause.DROPPED),
    ]
    assert [chunk.position for chunk in records if isinstance(chunk, Chunk)] == [1, 7]
    assert "one chunk in 2 is dropped on purpose" in [note.text for note in records if isinstance(note, Note)]


def test_what_the_kernel_could_not_do_for_one_workload_is_said_in_its_session_only() -> None:
    records = recorded(TracerDouble(counts=Lost(events=3)), options=("--cgroup", "/other"))
    first, second = (record.session for record in records if isinstance(record, SessionStarted))
    spoilt = [note.session for note in records if isinstance(note, Note) and "events of processes and connections did not fit" in note.text]
    assert spoilt == [first] and first != second


def test_what_the_gate_could_not_do_makes_the_recording_incomplete() -> None:
    tracer = TracerDouble()
    tracer.gate.unlooked, tracer.gate.broken = {1: 2}, True
    unlooked, failed = incomplete(recorded(tracer))
    assert unlooked == "2 connects were not met"
    assert failed == "1 connect gate failed: whoever connected afterwards went unlooked"


def test_each_workload_is_behind_the_gate_until_the_end() -> None:
    tracer = TracerDouble()
    recorded(tracer)
    assert tracer.gate.watched == [(1, Path("/c"))]
    assert tracer.gate.is_closed


def test_a_step_of_the_wall_clock_is_noted_and_makes_nothing_incomplete() -> None:
    settings, offsets = parse(["--cgroup", "/c"]), iter([0, 0, 0, -3_600_000_000_000, *[-3_600_000_000_000] * 20])
    assert isinstance(settings, Settings)
    outbox = Outbox(Limits(), offset=lambda: next(offsets))
    recording = Recording(TracerDouble(), outbox, settings)
    for _ in range(4):
        recording.step()
    recording.end(Ended(0))
    batches = [batch for number in range(3) if (batch := outbox.after(number, 0))]
    records = [record for batch in batches for record in unpack(zstandard.ZstdDecompressor().decompress(batch.records))]
    notes = [(note.subject, note.complete) for note in records if isinstance(note, Note) and "set back by 3600.000 s" in note.text]
    assert notes == [("clock", True)]
