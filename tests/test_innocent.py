"""What masking takes of innocent text: the table of docs/masking.md is what the command prints, and it is little."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def innocent() -> ModuleType:
    spec = importlib.util.spec_from_file_location("innocent", ROOT / "bench/innocent.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    import sys  # noqa: PLC0415 - dataclasses look their module up

    sys.modules["innocent"] = module
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_command_prints_and_it_is_bounded(innocent: ModuleType) -> None:
    found = innocent.corpora()
    assert f"{innocent.BEGIN}{innocent.table(found)}{innocent.END}" in innocent.PAGE.read_text(), "python bench/innocent.py --write"
    recorded, printed, documents, *made = found
    assert recorded.secrets >= 30, "secrets are in the corpus, and replaced"
    assert sum(one.false.total() for one in (recorded, printed, documents)) <= 2, "of half a megabyte of real traffic"
    assert documents.size > 100_000 and documents.false.total() == 0
    for one in made:
        lines = (ROOT / "tests/innocent" / one.name.partition("`tests/innocent/")[2].partition("`")[0]).read_text().count("\n")
        assert one.false.total() <= lines / 2, one.row
    assert sum(one.false.total() for one in made[:3]) <= 8, "of what is in clusters and terminals, not of source code"
