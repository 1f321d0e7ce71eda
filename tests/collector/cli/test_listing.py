"""What lists have in common; what each lists: its own test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from chaperone.collector.cli import listing
from chaperone.collector.cli.listing import Way, as_stored
from chaperone.collector.cli.output import Form


@pytest.mark.parametrize("output", [Form.JSON, Form.YAML])
def test_one_document_cannot_go_on(output: Form) -> None:
    with pytest.raises(typer.BadParameter, match="--follow goes with -o table or -o jsonl"):
        Way(output, follow=True)
    Way(output, follow=False)


def test_whoever_follows_is_told_once_who_does_not_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    silent = iter([["a"], ["a"], ["a", "b"], [], ["a"]])

    def answers(asked: Any, question: str, given: Any, lacks: Callable[[list[str]], None]) -> list[Any]:
        lacks(next(silent))
        return []

    monkeypatch.setattr(listing, "answers", answers)
    asking = listing.Asking(listing.Listing("alerts.list", "alerts", (), (), lambda *_: ()), Path())
    for expected in ("Missing: a\n", "", "Missing: b\n", "", "Missing: a\n"):
        assert asking.rows({}) == [] and capsys.readouterr().err == expected


def test_a_row_is_printed_as_it_is_stored() -> None:
    assert as_stored({"id": "1", "cursor": 7, "at": 9}) == {"id": "1"}
