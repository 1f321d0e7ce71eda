"""What becomes of policies: files and objects are real, who keeps and tells is made by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.policies import EXAMPLE

from chaperone.collector.ingest.reload import PolicyFiles
from chaperone.collector.lookup.client import UnansweredError
from chaperone.collector.policing import Outside, Policing, Statuses

RULE = {"name": "r", "when": 'call.verb == "delete"', "do": "alert"}


def named(name: str, generation: int = 1, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "generation": generation}, "rules": [RULE], **more}


@dataclass
class World:
    """`refuses`: statuses can't be written."""

    path: Path
    known: dict[str, str] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset({"n1", "gpu-1"})
    refuses: bool = False
    kept: list[Mapping[str, Any]] = field(default_factory=list)
    told: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    is_heading: bool = True
    is_alone: bool = True
    is_ours: bool = True
    meanwhile: Callable[[], None] = lambda: None  # before we hear that a status is written
    more: dict[str, Any] = field(default_factory=dict)  # that others say of each

    async def laid_together(self, own: Statuses) -> Statuses | None:
        return {name: status | self.more for name, status in own.items()} if self.is_ours else None

    def tell(self, name: str, status: Mapping[str, Any]) -> None:
        if self.refuses:
            raise UnansweredError("https://api answered 403", is_down=False)
        self.told.append((name, status))
        self.meanwhile()

    async def keep(self, documents: Sequence[Mapping[str, Any]]) -> str:
        self.kept += documents
        return ""

    async def _known(self) -> dict[str, str]:
        return self.known

    def run(self, then: Callable[[Policing], Awaitable[None]]) -> None:
        async def on() -> None:
            files = PolicyFiles((self.path,), False, self.said.append)
            outside = Outside(self._known, self.keep, lambda text: text, lambda: self.nodes, self, self.said.append)
            policing = Policing(files, outside, self)
            reading = asyncio.create_task(files.watch(lambda _: None))
            await then(policing)
            reading.cancel()

        asyncio.run(on())


def world(tmp_path: Path) -> World:
    (tmp_path / "p.yaml").write_text(EXAMPLE)
    return World(tmp_path / "p.yaml")


async def given(policing: Policing, **objects: dict[str, Any]) -> None:
    policing.give(objects)
    async with asyncio.timeout(30):
        while not policing.policies.has_read(objects):
            await asyncio.sleep(0.01)


def test_changes_are_recorded_with_author_and_those_of_before_are_known(tmp_path: Path) -> None:
    one = world(tmp_path)
    one.known = {str(one.path): EXAMPLE, "policies.chaperone.dev/gone": "x"}
    managed = [{"manager": "kubectl", "operation": "Apply", "time": "t"}]

    async def change(policing: Policing) -> None:
        await given(policing, a=named("a") | {"metadata": {"name": "a", "managedFields": managed}})
        await policing.record()
        await policing.record()
        await given(policing, a=named("a", mode="loud"))
        await policing.record()

    one.run(change)
    assert [(each["source"].rpartition("/")[2], each["what"], each["author"]) for each in one.kept] == [
        ("a", "added", "manager kubectl (Apply)"),
        ("gone", "removed", "unknown"),
        ("a", "refused", "unknown"),
    ]
    assert "mode: expected one of" in one.kept[-1]["problem"]


def test_each_object_is_told_once_what_became_of_it_and_where(tmp_path: Path) -> None:
    one = world(tmp_path)

    async def tell(policing: Policing) -> None:
        good = named("good", 4, selector={"nodes": ["gpu-*"]})
        await given(policing, good=good, bad=named("bad", 2, mode="loud"))
        await policing.tell()
        await policing.tell()
        one.nodes = frozenset({"gpu-1", "gpu-2"})
        await policing.tell()

    one.run(tell)
    names = [name for name, _ in one.told]
    assert names.count("bad") == 1 and names.count("good") == 2
    told = dict(one.told)
    assert told["bad"]["accepted"] is False and "mode: expected one of" in told["bad"]["message"] and told["bad"]["nodes"] == []
    wanted = {"accepted": True, "message": "", "rules": 1, "observedGeneration": 4, "nodes": ["gpu-1", "gpu-2"], "nodeCount": 2}
    assert told["good"] == wanted


def test_one_that_knows_already_is_not_told(tmp_path: Path) -> None:
    one = world(tmp_path)
    status = {"accepted": True, "message": "", "rules": 1, "observedGeneration": 1, "nodes": ["gpu-1", "n1"], "nodeCount": 2}

    async def tell(policing: Policing) -> None:
        await given(policing, a=named("a", status=status))
        await policing.tell()

    one.run(tell)
    assert one.told == []


def test_an_api_that_takes_no_status_is_said_once_and_asked_again(tmp_path: Path) -> None:
    one = world(tmp_path)
    one.refuses = True

    async def tell(policing: Policing) -> None:
        await given(policing, a=named("a"))
        await policing.tell()
        await policing.tell()
        one.refuses = False
        await policing.tell()

    one.run(tell)
    assert [said for said in one.said if "objects" in said] == ["objects are not told what became of them: https://api answered 403"]
    assert [name for name, _ in one.told] == ["a"]


def test_whoever_tells_for_all_tells_what_all_say_and_others_are_told_what_is_ours(tmp_path: Path) -> None:
    one = world(tmp_path)
    one.more = {"nodes": [f"n{number:03}" for number in range(150)]}

    async def tell(policing: Policing) -> None:
        await given(policing, a=named("a"))
        await policing.tell()
        assert [(row["name"], row["status"]["nodes"]) for row in policing.rows()] == [("a", ["gpu-1", "n1"])]

    one.run(tell)
    [(_, status)] = one.told
    assert (len(status["nodes"]), status["nodeCount"]) == (100, 150)


def test_the_first_of_the_list_has_the_last_word_and_whoever_stands_in_for_it_speaks_once(tmp_path: Path) -> None:
    one = world(tmp_path)

    async def tell(policing: Policing) -> None:
        await given(policing, a=named("a"))
        for is_heading, is_ours, expected in (
            (True, True, 1),
            (True, True, 2),
            (False, False, 2),
            (False, True, 3),
            (False, True, 3),
            (False, False, 3),
            (False, True, 4),
        ):
            one.is_heading, one.is_ours = is_heading, is_ours
            await policing.tell()
            policing.note({"a": {"accepted": False}})  # as somebody else wrote
            assert len(one.told) == expected, expected

    one.run(tell)


def test_what_somebody_else_writes_before_we_hear_that_ours_is_written_is_written_over(tmp_path: Path) -> None:
    one = world(tmp_path)

    async def tell(policing: Policing) -> None:
        await given(policing, a=named("a"))
        one.meanwhile = lambda: policing.note({"a": {"accepted": False}})
        await policing.tell()
        one.meanwhile = lambda: None
        await policing.tell()
        await policing.tell()

    one.run(tell)
    assert [name for name, _ in one.told] == ["a", "a"]
