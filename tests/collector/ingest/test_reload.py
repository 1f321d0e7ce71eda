import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.policies import EXAMPLE

from chaperone.collector.ingest.reload import PolicyFiles
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.ruleset import Rules


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(EXAMPLE)
    return path


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


def watched(files: PolicyFiles, work: Callable[[list[Rules]], "asyncio.Future[None]"]) -> list[Rules]:
    async def watch() -> list[Rules]:
        used: list[Rules] = []
        task = asyncio.create_task(files.watch(used.append))
        try:
            await work(used)
        finally:
            task.cancel()
        return used

    return asyncio.run(watch())


def test_a_changed_file_is_used_and_said(policy: Path) -> None:
    said: list[str] = []
    files = PolicyFiles((policy,), False, said.append)

    async def change(used: list[Rules]) -> None:
        policy.write_text(EXAMPLE.replace("no-privileged-exec", "renamed"))
        await until(lambda: used)

    [rules] = watched(files, change)  # type: ignore[arg-type]
    assert rules.all[0].name == "renamed" and files.rules is rules
    assert said == [f"2 rules are in force now ({rules.digest})"]


def test_a_bad_file_is_refused_whole_until_it_is_right(policy: Path) -> None:
    said: list[str] = []
    files = PolicyFiles((policy,), True, said.append)
    before = files.rules

    async def spoil(used: list[Rules]) -> None:
        policy.write_text(EXAMPLE + "nonsense: 1\n")
        await until(lambda: said)
        assert files.rules is before and not used
        assert files.status()["problem"].startswith(f"{policy}:20: nonsense: unknown key") and files.status()["refused"] == 1
        policy.write_text(EXAMPLE)
        await until(lambda: used)

    watched(files, spoil)  # type: ignore[arg-type]
    assert files.status()["problem"] == "" and files.status()["loads"] == 2
    assert f"the rules stay as they were ({len(before.all)} rules" in said[0]


def test_it_reads_again_when_told_although_nothing_changed(policy: Path) -> None:
    files = PolicyFiles((policy,), False, lambda text: None)

    async def tell(used: list[Rules]) -> None:
        files.ask_anew()
        await until(lambda: used)

    assert len(watched(files, tell)) == 1  # type: ignore[arg-type]


def test_a_file_that_goes_away_is_a_problem_and_no_end(policy: Path) -> None:
    said: list[str] = []
    files = PolicyFiles((policy.parent,), False, said.append)

    async def remove(used: list[Rules]) -> None:
        policy.unlink()
        await until(lambda: said)

    assert watched(files, remove) == []  # type: ignore[arg-type]
    assert len(files.rules.all) == 2


def test_the_first_reading_must_succeed(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        PolicyFiles((tmp_path / "nothing.yaml",), True, lambda text: None)
