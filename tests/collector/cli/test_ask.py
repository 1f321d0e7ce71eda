"""Questions are asked again when the collector was just ending, and its refusals are passed on."""

from pathlib import Path

import pytest
from support.filled_store import filled

from chaperone.collector.cli import ask as asking
from chaperone.collector.cli.ask import ask, directory
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.store.directory import SOCKET
from chaperone.proto.query_pb2 import Rows

__all__ = ["filled"]


def test_rows_come_as_documents(filled: Path) -> None:
    (status,) = ask(filled, "status")
    assert status["counts"]["call"] == 2


def test_a_refused_question_is_the_collectors_sentence(filled: Path) -> None:
    with pytest.raises(CommandError, match="no question is called 'nonsense'"):
        list(ask(filled, "nonsense"))
    with pytest.raises(CommandError, match="no parameter is called 'colour'"):
        list(ask(filled, "status", colour="red"))


def test_a_collector_that_goes_away_in_between_is_started_again(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[Path] = []

    def reach_too_late(store: Path) -> None:
        reached.append(store)
        if len(reached) > 1:
            monkeypatch.undo()
            asking.reach(store)

    monkeypatch.setattr(asking, "reach", reach_too_late)
    monkeypatch.setattr(asking, "socket_target", lambda store: f"unix:{store}/{SOCKET if len(reached) > 1 else 'gone'}")
    (status,) = ask(filled, "status")
    assert status["counts"]["session"] == 1
    assert len(reached) == 2


def test_one_that_never_comes_back_is_reported(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "socket_target", lambda store: f"unix:{store}/gone")
    with pytest.raises(CommandError, match=r"the collector of .* failed"):
        list(ask(filled, "status"))


def test_whose_rows_are_missing_is_said_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    answer = [Rows(json='[{"a": 1}]'), Rows(json="[]", missing=["b\x1b did not answer"])]
    assert list(asking._rows(answer[0], iter(answer[1:]), Path(), asking.say_missing)) == [{"a": 1}]
    assert capsys.readouterr() == ("", "Missing: b\\x1b did not answer\n")


def test_the_store_is_an_option_or_the_environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHAPERONE_STORE", str(tmp_path))
    assert directory(None) == tmp_path
    assert directory(Path("here")) == Path.cwd() / "here"
