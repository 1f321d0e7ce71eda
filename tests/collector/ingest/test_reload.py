import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.policies import EXAMPLE

from chaperone.collector.ingest.reload import PolicyFiles
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.objects import text_of
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


def test_a_directory_may_hold_none_at_first_and_none_again(tmp_path: Path) -> None:
    """A chart's ConfigMap that has not been given any."""
    files = PolicyFiles((tmp_path,), False, lambda text: None)
    assert not files.rules.all

    async def come_and_go(used: list[Rules]) -> None:
        (tmp_path / "policy.yaml").write_text(EXAMPLE)
        await until(lambda: used)
        (tmp_path / "policy.yaml").unlink()
        await until(lambda: used[1:])

    assert [len(rules.all) for rules in watched(files, come_and_go)] == [2, 0]  # type: ignore[arg-type]
    assert files.status()["problem"] == ""


def test_it_reads_again_when_told_although_nothing_changed(policy: Path) -> None:
    files = PolicyFiles((policy,), False, lambda text: None)

    async def tell(used: list[Rules]) -> None:
        files.ask_anew()
        await until(lambda: used)

    assert len(watched(files, tell)) == 1  # type: ignore[arg-type]


def test_a_file_that_goes_away_is_a_problem_and_no_end(policy: Path) -> None:
    said: list[str] = []
    files = PolicyFiles((policy,), False, said.append)

    async def remove(used: list[Rules]) -> None:
        policy.unlink()
        await until(lambda: said)

    assert watched(files, remove) == []  # type: ignore[arg-type]
    assert len(files.rules.all) == 2


def test_the_first_reading_must_succeed(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        PolicyFiles((tmp_path / "nothing.yaml",), True, lambda text: None)


def named(name: str, *rules: str, **more: str) -> dict[str, object]:
    made = [{"name": rule, "when": 'call.verb == "delete"', "do": "alert"} for rule in rules]
    return {"metadata": {"name": name, "generation": 1}, "rules": made, **more}


def test_objects_are_policies_beside_the_files_and_go_with_them(policy: Path) -> None:
    files = PolicyFiles((policy,), False, lambda _: None)
    count = len(files.rules.all)

    async def give(used: list[Rules]) -> None:
        files.give(given := {"one": named("one", "a", "b"), "two": named("two", "c")})
        await until(lambda: used)
        assert len(files.rules.all) == count + 3 and files.has_read(given) and files.status()["objects"] == ["one", "two"]
        assert files.sources["policies.chaperone.dev/one"].policies == ("one",) and str(policy) in files.sources
        files.give({"two": named("two", "c")})
        await until(lambda: len(used) == 2)

    watched(files, give)  # type: ignore[arg-type]
    assert len(files.rules.all) == count + 1 and files.accepted("one") is None and files.accepted("two") is not None


def test_a_bad_object_loses_nothing_and_a_bad_file_none_of_the_objects(policy: Path) -> None:
    files = PolicyFiles((policy,), False, lambda _: None)

    async def spoil(used: list[Rules]) -> None:
        files.give({"one": named("one", "a")})
        await until(lambda: used)
        files.give(bad := {"one": named("one", "a", mode="loud"), "new": {"metadata": {"name": "new"}}})
        await until(lambda: files.has_read(bad))
        assert files.accepted("one") is not None and files.accepted("new") is None
        assert "mode: expected one of off, record, follow, enforce, found 'loud'" in files.refusals["one"]
        assert "rules" in files.refusals["new"]
        assert "policies.chaperone.dev/one: line " in files.status()["problem"]
        assert set(files.problems) == {f"policies.chaperone.dev/{name}" for name in ("one", "new")}
        policy.write_text("nonsense")
        await until(lambda: "files" in files.problems)
        files.give({"two": named("two", "b")})
        await until(lambda: files.accepted("two"))

    watched(files, spoil)  # type: ignore[arg-type]
    assert {rule.policy for rule in files.rules.all} == {"agents", "two"}, "the file's rules stay as they were"


def test_an_object_with_the_name_of_a_files_policy_is_refused(policy: Path) -> None:
    files = PolicyFiles((policy,), False, lambda _: None)

    async def give(_used: list[Rules]) -> None:
        files.give(given := {"agents": named("agents", "mine")})
        await until(lambda: files.has_read(given))

    watched(files, give)  # type: ignore[arg-type]
    assert files.refusals == {"agents": f"metadata.name: expected one policy called agents, also in {policy}"}
    assert "mine" not in [rule.name for rule in files.rules.all]


def test_until_the_api_has_answered_objects_are_in_force_as_they_were_and_a_bad_one_stays_so(policy: Path) -> None:
    before = {f"policies.chaperone.dev/{name}": text_of(named(name, "r")) for name in ("one", "two", "agents")} | {str(policy): "x"}
    files = PolicyFiles((policy,), False, lambda _: None)
    files.remember(before | {"policies.chaperone.dev/odd": "nonsense"})
    assert sorted({rule.policy for rule in files.rules.all}) == ["agents", "one", "two"] and "mine" not in str(files.rules.all)

    async def answer(used: list[Rules]) -> None:
        files.ask_anew()
        await until(lambda: used)
        assert files.accepted("one") is not None and files.accepted("two") is not None
        files.give({"one": named("one", "r", mode="loud")})
        await until(lambda: files.refusals)

    watched(files, answer)  # type: ignore[arg-type]
    assert files.accepted("one") is not None and files.accepted("two") is None
