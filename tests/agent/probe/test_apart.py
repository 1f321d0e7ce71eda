"""The parser's process: what it may not do, and that nothing it does can hurt us."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.elf_file import BASE, elf_file, symbols

from chaperone.agent.child import Child
from chaperone.agent.probe import apart
from chaperone.agent.probe.apart import Parser, UnansweredError, _checked, _programs
from chaperone.agent.probe.elf import UnreadableError
from chaperone.agent.probe.points import points

LIBRARY = elf_file(*symbols({"SSL_write": BASE + 64, "SSL_read": BASE + 80, "SSL_free": BASE + 96}, 2))


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    opened = Parser()
    opened.start()
    yield opened
    opened.close()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "libssl.so").write_bytes(LIBRARY)
    fd = os.open(tmp_path / "libssl.so", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_its_answer_is_the_same_as_here(parser: Parser, library: int) -> None:
    assert parser.points(library) == points(library)


def test_it_says_why_a_file_cannot_be_probed(parser: Parser) -> None:
    with Path(sys.executable).open("rb") as file, pytest.raises(UnreadableError, match="no TLS functions that we know"):
        parser.points(file.fileno())


def test_a_file_of_root_alone_is_read_by_its_descriptor(parser: Parser, tmp_path: Path) -> None:
    (tmp_path / "private").write_bytes(LIBRARY)
    (tmp_path / "private").chmod(0o600)
    with (tmp_path / "private").open("rb") as file:
        assert parser.points(file.fileno())


def test_it_ends_in_silence_when_its_agent_is_killed(library: int, capfd: pytest.CaptureFixture[str]) -> None:
    """With an answer that nobody has read: the kernel resets the socket."""
    child = Child("chaperone.agent.probe.apart")
    socket.send_fds(child.socket, [b"\0"], [library])
    assert child.socket.recv(1, socket.MSG_PEEK)
    child.socket.close()
    assert child._process.wait(30) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_it_has_no_privilege(parser: Parser, library: int) -> None:
    parser.points(library)  # it is there, and has given up what it had
    status = dict(line.split(":\t") for line in Path(f"/proc/{parser.pid}/status").read_text().splitlines() if ":\t" in line)
    assert (status["CapEff"], status["CapPrm"], status["CapInh"]) == ("0" * 16,) * 3
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].strip() == ""
    assert Path(f"/proc/{parser.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    limits = Path(f"/proc/{parser.pid}/limits").read_text()
    assert [line.split()[-3:-1] for line in limits.splitlines() if line.startswith(("Max address space", "Max file size"))] == [
        ["0", "0"],
        [str(1 << 30), str(1 << 30)],
    ]


def test_its_death_costs_one_answer(library: int) -> None:
    parser = Parser()
    parser.start()
    os.kill(parser.pid, signal.SIGKILL)
    try:
        parser.points(library)
    except UnreadableError as error:
        assert "failed" in str(error)  # it had not been reaped yet when it was asked
    assert parser.points(library) == points(library)
    parser.close()


def test_one_that_hangs_is_ended_in_time(library: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Parser()
    parser.points(library)
    monkeypatch.setattr(apart, "DEADLINE_S", 0.2)
    hung = parser.pid
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(UnansweredError, match="took longer"):
        parser.points(library)
    assert not Path(f"/proc/{hung}").exists()
    parser.close()


KNOWN = ["SSL_write", "on_ssl_write_entry", 64, False]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}}",
        b"[[1]]",
        b"[" * 10_000,
        json.dumps([["SSL_write", "on_exec", 64, False]]).encode(),
        json.dumps([["SSL_write", "on_ssl_write_entry", 4096, False]]).encode(),
        json.dumps([["SSL_write", "on_ssl_write_entry", -1, False]]).encode(),
        json.dumps([["SSL_write", "on_ssl_write_entry", True, False]]).encode(),
        json.dumps([["SSL\n_write", "on_ssl_write_entry", 64, False]]).encode(),
        json.dumps([["SSL_write", "on_ssl_write_entry", 64, "yes"]]).encode(),
        json.dumps([KNOWN] * 513).encode(),
    ],
)
def test_an_answer_of_a_parser_that_went_over_is_refused(answer: bytes) -> None:
    with pytest.raises(UnreadableError, match="reading it gave"):
        _checked(answer, 4096)


def test_what_it_says_is_cut_and_printable() -> None:
    with pytest.raises(UnreadableError) as refused:
        _checked(json.dumps("a\x1b[2J" + "b" * 1000).encode(), 4096)
    assert str(refused.value) == ("a[2J" + "b" * 1000)[:200]


def test_the_programs_that_it_may_name_are_those_of_probes() -> None:
    assert {"on_ssl_return", "on_go_read_return"} < _programs()
    assert not {"on_exec", "on_connect4", "on_egress"} & _programs()
