from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chaperone.agent.glass.suspension import Suspension
from chaperone.agent.glass.watch import GlassWatch
from chaperone.agent.workload.processes import now_ns
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.glass import SECOND, Glass, read, write
from chaperone.proto.records import BreakGlass, Record


@dataclass
class Recorder:
    """What is recorded and held, as far as that is asked for; `done`: in order."""

    done: list[object] = field(default_factory=list)
    is_drained: bool = True

    @property
    def enforcement(self) -> "Recorder":
        return self

    @property
    def strict(self) -> "Strict":
        return Strict(self.done)

    def suspend(self, until: int) -> None:
        self.done.append(("suspend", until))

    def step(self) -> bool:
        return self.is_drained

    def resume(self) -> None:
        self.done.append("resume")

    def put(self, records: Iterable[Record]) -> None:
        self.done += records

    def note(self, subject: str, text: str) -> None:
        self.done.append(subject)


@dataclass
class Strict:
    done: list[object]

    def suspend(self, is_suspended: bool) -> None:
        self.done.append(("strict", is_suspended))


def suspension(file: Path, recorder: Recorder) -> Suspension:
    made = Suspension(GlassWatch(file, "boot"), "n1", recorder)
    step(made)
    return made


def step(one: Suspension) -> None:
    """As if some time had passed."""
    one.watch._next = 0
    one.step()


def broken(id_: str = "g1") -> Glass:
    return Glass(id_, "boot", now_ns(), now_ns() + 600 * SECOND, "root", "why")


def test_it_suspends_says_so_and_resumes(tmp_path: Path) -> None:
    recorder = Recorder()
    one = suspension(tmp_path / "g", recorder)
    assert recorder.done == [] and not one.is_broken
    glass = broken()
    write(tmp_path / "g", glass)
    step(one)
    told = BreakGlass("g1", "n1", glass.begun, glass.until, "root", "why")
    assert one.is_broken and recorder.done == [("suspend", glass.until), ("strict", True), "break-glass", told]
    step(one)
    recorder.done.clear()
    (tmp_path / "g").unlink()
    step(one)
    *others, over = recorder.done
    assert others == ["resume", ("strict", False), "break-glass"]
    assert isinstance(over, BreakGlass) and over.glass == "g1" and over.ended > glass.begun and not one.is_broken


def test_it_is_said_when_nobody_is_held_any_more(tmp_path: Path) -> None:
    recorder = Recorder(is_drained=False)
    write(tmp_path / "g", broken())
    one = suspension(tmp_path / "g", recorder)
    assert not any(isinstance(each, BreakGlass) for each in recorder.done)
    recorder.is_drained = True
    step(one)
    assert isinstance(recorder.done[-1], BreakGlass)


def test_a_longer_one_takes_its_place(tmp_path: Path) -> None:
    recorder = Recorder()
    write(tmp_path / "g", broken())
    one = suspension(tmp_path / "g", recorder)
    write(tmp_path / "g", longer := broken("g2"))
    step(one)
    said = [(each.glass, bool(each.ended)) for each in recorder.done if isinstance(each, BreakGlass)]
    assert said == [("g1", False), ("g1", True), ("g2", False)] and ("suspend", longer.until) in recorder.done


def test_a_collectors_word_is_kept_for_the_agents_to_come(tmp_path: Path) -> None:
    recorder = Recorder()
    one = suspension(tmp_path / "g", recorder)
    one.told.append(wire.Glass(id="g3", for_ns=60 * SECOND, who="user:alice", why="stuck"))
    step(one)
    found = read(tmp_path / "g")
    assert found is not None and (found.id, found.boot, found.who, found.why) == ("g3", "boot", "user:alice", "stuck")
    assert 0 < found.until - now_ns() <= 60 * SECOND and one.is_broken
    one.told.append(wire.Glass(id="g3", for_ns=50 * SECOND, who="user:alice", why="stuck"))  # it comes again: said again, and no longer
    step(one)
    assert read(tmp_path / "g") == found and sum(isinstance(each, BreakGlass) for each in recorder.done) == 2
    one.told.append(wire.Glass(end=True))
    step(one)
    assert read(tmp_path / "g") is None and not one.is_broken


def test_what_cannot_be_written_is_noted(tmp_path: Path) -> None:
    recorder = Recorder()
    (tmp_path / "file").touch()
    one = suspension(tmp_path / "g", recorder)
    one.watch.file = tmp_path / "file" / "g"
    one.told.append(wire.Glass(id="g3", for_ns=60 * SECOND))
    step(one)
    assert recorder.done == ["break-glass"] and not one.is_broken
