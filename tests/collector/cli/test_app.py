"""The command as a user meets it: help, version, and failing in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHAPERONE = Path(sys.executable).with_name("chaperone")


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


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    command = f"set -o pipefail; {CHAPERONE} calls list --help | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
