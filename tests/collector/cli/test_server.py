"""Naming a collector elsewhere (that it answers: tests/collector/test_live_doors.py)."""

from pathlib import Path

import pytest
from support.api_double import ApiDouble
from support.filled_store import filled
from support.tls_directories import authority, tls_directory
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.server import Server, token_of
from chaperone.collector.identity.certificates import Subject

__all__ = ["filled"]


def test_whoever_shows_nothing_is_told_what_to_show() -> None:
    failed = CliRunner().invoke(app, ["--server", "localhost:1", "sessions", "list"]).exception
    assert isinstance(failed, CommandError)
    assert (failed.sentence, failed.step) == (
        "nothing says to localhost:1 who you are",
        "give --tls DIR, or --ca FILE and --kubeconfig FILE",
    )


def test_a_store_that_is_named_behind_the_command_wins(filled: Path) -> None:
    listed = CliRunner().invoke(app, ["sessions", "list", "--store", str(filled)], env={"CHAPERONE_SERVER": "localhost:1"})
    assert "5e5e5e5e" in listed.stdout


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    tls = tls_directory(tmp_path / "tls", authority(), Subject("alice"))
    failed = CliRunner().invoke(app, ["--server", "localhost:1", "--tls", str(tls), "sessions", "list"]).exception
    assert "the collector at localhost:1 does not answer" in str(failed)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"{tmp_path}/ca.crt cannot be read"):
        Server("localhost:1", tls=tmp_path).channel(())


def test_the_token_is_that_of_the_current_context(tmp_path: Path) -> None:
    assert token_of(ApiDouble("https://localhost:1", Path(__file__)).kubeconfig(tmp_path, "t0ken")) == "t0ken"


@pytest.mark.parametrize("text", ["", "{}", "[", "5", "users: 5"])
def test_what_is_no_kubeconfig_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(CommandError, match="is no usable kubeconfig"):
        token_of(path)


def test_a_context_without_a_token_is_said(tmp_path: Path) -> None:
    path = ApiDouble("https://localhost:1", tmp_path / "ca.crt").kubeconfig(tmp_path, "")
    tls_directory(tmp_path, authority(), Subject("alice"))
    with pytest.raises(CommandError, match="has no token"):
        token_of(path)
