import socket
from pathlib import Path

import pytest

from chaperone.collector.cli import word as module
from chaperone.collector.cli.failed import CommandError


def test_a_collector_that_says_nothing_is_no_answer() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(CommandError) as raised:
            module._told(ours, {})
    assert raised.value.sentence == "the collector did not answer"


def test_nobody_who_listens_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "reach", lambda place: None)
    with pytest.raises(CommandError) as raised:
        module.said(tmp_path, "kill", {}, "")
    assert raised.value.sentence == "nobody listens for decisions"
