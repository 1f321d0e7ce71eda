"""What `docs/threat-model.md` says was tried, was: each test that it names is there, and each way around names one or says why not."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
UNTRIED = ("not tried", "`docs/", "not looked at")


def ways() -> list[str]:
    """The rows of the table of ways around."""
    section = PAGE.split("## Ways around")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def functions(file: str) -> set[str]:
    return {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_test_that_is_named_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) == PAGE.count("tests/") > 20, "a file or folder is no test"
    assert [f"{file}::{name}" for file, name in named if name not in functions(file)] == []


def test_each_way_around_was_tried_or_it_is_said_that_not() -> None:
    untold = [way for way in ways() if not NAMED.search(way) and not any(word in way for word in UNTRIED)]
    assert len(ways()) > 20 and untold == []
