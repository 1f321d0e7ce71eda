"""The command as a user meets it: help, version, and failing in one sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHAPERONE = Path(sys.executable).with_name("chaperone")
CAPTURES = Path(__file__).parents[2] / "captures"


def chaperone(*arguments: str, store: str = "/nonexistent/store") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CHAPERONE_STORE": store}
    return subprocess.run([CHAPERONE, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_the_version_is_the_packages() -> None:
    assert chaperone("--version").stdout == "chaperone 0.1.0\n"


def test_help_has_examples_and_every_command() -> None:
    shown = chaperone("--help").stdout
    assert "sudo chaperone run -- kubectl get secrets" in shown
    for command in ("run", "sessions", "calls", "replay", "decode", "collector", "agent", "doctor", "--install-completion"):
        assert command in shown


def test_a_failure_is_one_sentence_and_the_next_step() -> None:
    failed = chaperone("sessions", "list")
    assert failed.stderr.splitlines() == [
        "chaperone: nothing is recorded yet in /nonexistent/store",
        "  next: record with: chaperone run -- kubectl get pods",
    ]
    assert failed.returncode == 1


def test_debug_shows_the_traceback() -> None:
    failed = chaperone("--debug", "sessions", "list")
    assert "Traceback" in failed.stderr
    assert failed.returncode == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "<&- 2>&-"])
def test_closed_standard_streams_change_no_exit_status(closed: str) -> None:
    def status(*command: str) -> int:
        return subprocess.run(
            ["sh", "-c", f'"$@" {closed}', "sh", CHAPERONE, *command], timeout=60, check=False, capture_output=True
        ).returncode

    assert status("--version") == 0
    assert status("sessions", "list", "--store", "/nonexistent/store") == 1
    assert status("run", "--store", "/nonexistent/store", "--", "/nonexistent/command") == 127


def test_our_own_fault_is_named_without_a_traceback() -> None:
    breaks = "from chaperone.collector.cli import app\nsys = app.sys\nsys.excepthook = app._one_sentence\n{}['secret']"
    failed = subprocess.run([sys.executable, "-c", breaks], capture_output=True, text=True, timeout=60, check=False)
    assert failed.stderr.splitlines()[0] == "chaperone: this is a fault in chaperone: KeyError in <string>:4"
    assert "secret" not in failed.stderr


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["calls", "list", "--since", "yesterday"], ["calls", "show"], ["decode"], ["--nonsense"]]
)
def test_a_usage_error_exits_with_2(arguments: list[str]) -> None:
    failed = chaperone(*arguments)
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr


def test_a_reader_that_leaves_is_no_error() -> None:
    capture = CAPTURES / "kubectl-portforward-ws.2.jsonl.gz"
    command = f"{CHAPERONE} decode -o jsonl {' '.join([str(capture)] * 20)} | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("{", "")


@pytest.mark.parametrize("arguments", ["decode -o jsonl {0}", "decode {0}", "rules words", "--help"])
def test_output_that_cannot_be_written_is_said(arguments: str) -> None:
    capture = CAPTURES / "kubectl-portforward-ws.2.jsonl.gz"
    command = f"{CHAPERONE} {arguments.format(capture)} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines() == [
        "chaperone: the output could not be written: No space left on device",
        "  next: make room, or write it elsewhere",
    ]
    assert done.returncode == 1


def test_an_interrupt_is_no_fault() -> None:
    breaks = "from chaperone.collector.cli import app\nsys = app.sys\nsys.excepthook = app._one_sentence\nraise KeyboardInterrupt"
    ended = subprocess.run([sys.executable, "-c", breaks], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")


def test_a_terminal_without_utf8_gets_escapes() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    command = [CHAPERONE, "decode", "-o", "channels", CAPTURES / "kubectl-exec-ws.2.jsonl.gz"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True)
    assert "\\u2190 stdout: out" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_store_of_another_user_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    (tmp_path / "store").mkdir(mode=0o700)
    show = "from chaperone.collector.cli.app import main; import os, sys; os.setgid(65534); os.setuid(65534); main()"
    command = [sys.executable, "-c", show, "sessions", "list", "--store", tmp_path / "store"]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert failed.stderr.splitlines()[0] == f"chaperone: you may not read the store {tmp_path / 'store'}"
    assert failed.returncode == 1
