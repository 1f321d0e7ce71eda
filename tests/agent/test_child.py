import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaperone.agent.child import Child, word_of

ECHO = """
import os, socket, sys
ours = socket.socket(fileno=0)
while asked := ours.recv(100):
    ours.send(asked + os.read(int(sys.argv[1]), 100) + str(os.getsid(0) == os.getpid()).encode())
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    (tmp_path / "echo.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    passed, ours = os.pipe()
    os.write(ours, b", which ")
    made = Child("echo", str(passed), descriptors=[passed])
    for descriptor in (passed, ours):
        os.close(descriptor)
    yield made
    made.end()


def test_it_answers_over_its_socket_and_has_what_it_was_given(child: Child) -> None:
    child.socket.send(b"a message")
    assert child.socket.recv(100) == b"a message, which True"
    assert child.is_alive


def test_it_is_gone_at_the_end(child: Child) -> None:
    child.end()
    assert not child.is_alive
    assert not Path(f"/proc/{child.pid}").exists()


def test_an_agent_that_is_gone_says_nothing_more_however_it_went() -> None:
    for unread in (b"", b"an answer"):
        agent, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            agent.send(b"a question")
            assert word_of(ours, 100) == b"a question"
            if unread:
                ours.send(unread)
            agent.close()
            assert word_of(ours, 100) == b""
