from pathlib import Path

from chaperone.agent.glass.watch import EVERY_NS, GlassWatch
from chaperone.proto.glass import SECOND, Glass, write

BROKEN = Glass("g1", "boot", 10 * SECOND, 20 * SECOND, "root", "why")


def watch(file: Path, said: list[str] | None = None) -> GlassWatch:
    return GlassWatch(file, "boot", (said if said is not None else []).append)


def test_it_is_in_force_until_its_time_is_over(tmp_path: Path) -> None:
    file = tmp_path / "g"
    watching = watch(file)
    assert not watching.look(9 * SECOND) and watching.broken is None
    write(file, BROKEN)
    assert watching.look(10 * SECOND) and watching.broken == BROKEN
    assert not watching.look(19 * SECOND)
    assert watching.look(20 * SECOND) and watching.broken is None
    assert file.exists()


def test_another_agent_takes_up_its_rest(tmp_path: Path) -> None:
    write(tmp_path / "g", BROKEN)
    following = watch(tmp_path / "g")
    assert following.look(15 * SECOND) and following.broken == BROKEN


def test_one_of_another_boot_or_of_later_is_none(tmp_path: Path) -> None:
    write(tmp_path / "g", BROKEN)
    assert not GlassWatch(tmp_path / "g", "another boot").look(15 * SECOND)
    assert not watch(tmp_path / "g").look(9 * SECOND)


def test_it_can_be_ended_and_is_not_looked_at_all_the_time(tmp_path: Path) -> None:
    watching = watch(tmp_path / "g")
    watching.put(BROKEN)
    assert watching.look(10 * SECOND)
    (tmp_path / "g").unlink()
    assert not watching.look(10 * SECOND + EVERY_NS - 1)
    assert watching.look(10 * SECOND + EVERY_NS) and watching.broken is None
    watching.put(None)


def test_what_counts_for_nothing_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    watching = watch(tmp_path / "g", said)
    (tmp_path / "g").write_text("x")
    (tmp_path / "g").chmod(0o600)
    for time in range(3):
        assert not watching.look(time * SECOND)
    assert said == [f"{tmp_path}/g is none of ours"]
