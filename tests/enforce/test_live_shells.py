"""Interactive shells under `chaperone run --policy` at a real terminal: nobody sees "Stopped" who did not ask for it, and keys and sizes
work, also while a call of a child is held: here, until somebody approves it.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer, running
from support.collectors import ask
from support.governed_run import NOT_READY, TRIES, asked, storing, variables
from support.kernel import skip_without_kernel
from support.terminal import Terminal

pytestmark = pytest.mark.kernel
PATIENCE_S = 90.0
RULES = """
- name: no-removal
  when: channel.name == "stdin" && channel.text.contains("rm -rf")
  do: deny
  enforce: enforce
- name: deletions
  when: call.verb == "delete"
  do: approve
  holdLimit: 10m
  enforce: enforce
"""
SHELLS = {"bash": ("bash", "--norc", "--noprofile", "-i"), "zsh": ("zsh", "-f", "-i")}


class Shell(Terminal):
    """One that is governed. `foreground` at its prompt is `own`."""

    def __init__(self, place: Path, server: ApiServer, argv: tuple[str, ...]) -> None:
        environment = variables(place, server, {"PS1": "READY> ", "TERM": "dumb"})
        super().__init__(asked(place, RULES, argv), environment, PATIENCE_S)
        self.place, self.seen = place, ""
        self.seen += self.expect("READY> ")
        self.type("echo be''gun\n")
        self.expect("begun")
        self.own = self.foreground()

    def status(self) -> int:
        """Of the last command."""
        self.type("echo st''atus=$?.\n")
        self.seen += self.expect("status=")
        return int(self.expect("."))

    def start(self, command: str) -> None:
        """A command that has the terminal."""
        self.type(f"{command}\n")
        until(lambda: name_of(self.foreground()) not in ("", name_of(self.own)))  # a shell's child ignores keys until its exec

    def press(self, key: str) -> None:
        """What gives the terminal back to the shell."""
        self.type(key)
        until(lambda: self.foreground() == self.own)

    def is_asked_for(self, approvals: int) -> bool:
        return len(ask(self.place / "store", "approvals.list")) == approvals


def name_of(pid: int) -> str:
    """What it runs; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def opened(place: Path, server: ApiServer, argv: tuple[str, ...]) -> Shell:
    for left in reversed(range(TRIES)):
        try:
            return Shell(place, server, argv)
        except AssertionError as error:
            if NOT_READY not in str(error) or not left:
                raise
    raise AssertionError(NOT_READY)


@pytest.fixture(params=[*SHELLS])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    skip_without_kernel()
    with storing(tmp_path), running(tmp_path / "apiserver") as server:
        made = opened(tmp_path, server, SHELLS[request.param])
        yield made
        made.close()


def test_keys_and_sizes_work_under_hold(shell: Shell) -> None:
    shell.type("kubectl get pods -o name\n")
    assert shell.status() == 0 and "pod/agent" in shell.seen
    shell.start("sleep 100")
    shell.press("\x03")
    assert shell.status() == 130
    assert "topped" not in shell.seen and "suspended" not in shell.seen
    shell.start("sleep 100")
    shell.press("\x1a")
    shell.start("fg")
    shell.press("\x03")
    assert shell.status() == 130
    shell.resize(40, 100)
    shell.type("stty size; echo d''one\n")
    assert "40 100" in shell.expect("done")
    while_a_call_is_held(shell)
    what_is_typed_is_judged(shell)
    shell.type("exit\n")
    assert shell.wait() == 0


def while_a_call_is_held(shell: Shell) -> None:
    shell.start("kubectl delete pod agent")
    until(lambda: shell.is_asked_for(1))
    shell.press("\x03")
    assert shell.status() == 130
    shell.start("kubectl delete pod agent")
    until(lambda: shell.is_asked_for(2))
    shell.resize(33, 99)
    shell.press("\x1a")
    shell.type("stty size; echo d''one\n")
    assert "33 99" in shell.expect("done")
    shell.start("fg")
    shell.press("\x03")
    assert shell.status() == 130


def what_is_typed_is_judged(shell: Shell) -> None:
    """kubectl sends each letter by itself."""
    shell.start("kubectl exec -it agent -c main -- cat")
    until(lambda: len(ask(shell.place / "store", "calls.list", subresource="exec")) == 1)
    time.sleep(0.5)  # until it has made the terminal raw
    shell.type("hello\r")
    shell.expect("hello")
    for letter in "rm -r":
        shell.type(letter)
    shell.expect("rm -r")
    shell.press("f")
    assert shell.status() == 1
    assert "abnormal closure" in shell.seen and "rm -rf" not in shell.seen
