"""Under a real terminal CMD behaves as if the launcher were not there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import bare_launcher
from support.terminal import Terminal

BARE = (sys.executable, bare_launcher.__file__)


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.procs").touch()
    return tmp_path


@pytest.fixture
def shell(cgroup: Path) -> Iterator[Terminal]:
    """An interactive bash in which `run` is the launcher."""
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], {"PATH": os.environ["PATH"], "PS1": "READY> ", "TERM": "dumb"})
    terminal.expect("READY> ")
    terminal.type(f'run() {{ {BARE[0]} {BARE[1]} {cgroup} "$@"; }}\n')
    terminal.expect("READY> ")
    yield terminal
    terminal.close()


def launched(cgroup: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*BARE, cgroup, *command], capture_output=True, text=True, timeout=20, check=False, input="in\n")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -TERM $$"), 143),
        (("sh", "-c", "kill -SEGV $$"), 139),
        (("/etc/passwd",), 126),
        (("/etc",), 126),
        (("no-such-command",), 127),
    ],
)
def test_the_exit_status_is_what_a_shell_shows(cgroup: Path, command: tuple[str, ...], status: int) -> None:
    assert launched(cgroup, *command).returncode == status


def test_stdin_stdout_and_stderr_are_cmds(cgroup: Path) -> None:
    done = launched(cgroup, "sh", "-c", "cat; echo err >&2")
    assert (done.stdout, done.stderr) == ("in\n", "err\n")


def test_a_script_without_a_first_line_runs_as_in_a_shell(cgroup: Path, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("echo $1; exit 3\n")
    (tmp_path / "tool").chmod(0o755)
    done = launched(cgroup, str(tmp_path / "tool"), "hello")
    assert (done.stdout, done.returncode) == ("hello\n", 3)


def test_a_missing_interpreter_is_127_and_cmd_named(cgroup: Path, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/no/such/interpreter\n")
    (tmp_path / "tool").chmod(0o755)
    done = launched(cgroup, str(tmp_path / "tool"))
    assert (done.returncode, done.stderr) == (127, f"{tmp_path}/tool: No such file or directory\n")


def test_cmd_is_in_the_cgroup_and_its_broken_pipe_kills_it_as_usual(cgroup: Path) -> None:
    done = launched(cgroup, "bash", "-c", "yes | head -1; echo ${PIPESTATUS[0]}")
    assert done.stdout == "y\n141\n"
    assert (cgroup / "cgroup.procs").read_text() == "0"


def test_a_cgroup_that_cannot_be_joined_is_125_and_cmd_never_runs(tmp_path: Path) -> None:
    done = launched(tmp_path / "none", "echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert "join" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_the_launcher_reaches_cmd(cgroup: Path, number: int) -> None:
    script = "import signal,sys; [signal.signal(n, lambda n, f: sys.exit(n)) for n in (1, 10, 15)]; print('up', flush=True); signal.pause()"
    with subprocess.Popen([*BARE, cgroup, sys.executable, "-c", script], stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        launcher.stdout.readline()
        launcher.send_signal(number)
        assert launcher.wait(60) == number


def test_control_c_interrupts_cmd_and_the_launcher_shows_its_status(shell: Terminal) -> None:
    shell.type("run sh -c 'trap \"echo caught; exit 5\" INT; echo up; while :; do sleep 0.05; done'; echo status=$?\n")
    shell.expect("up\r\n")
    shell.type("\x03")
    shell.expect("caught")
    shell.expect("status=5")


def test_control_c_on_a_cmd_that_does_not_care_is_130(shell: Terminal) -> None:
    shell.type("run sleep 100; echo status=$?\n")
    wait_for_foreground_command(shell, "sleep")
    shell.type("\x03")
    shell.type("echo status=$?\n")
    shell.expect("status=130")


def test_control_z_stops_the_job_and_fg_goes_on(shell: Terminal) -> None:
    shell.type("run cat\n")
    wait_for_foreground_command(shell, "cat")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect("READY> ")
    shell.type("jobs; fg\n")
    wait_for_foreground_command(shell, "cat")
    shell.type("again\n")
    shell.expect("again\r\nagain")
    shell.type("\x04")
    shell.expect("READY> ")


def test_a_job_in_the_background_that_reads_is_stopped_and_can_be_fetched(shell: Terminal) -> None:
    shell.type("run cat &\n")
    time.sleep(0.7)
    shell.type("\necho look\n")
    shell.expect("Stopped")
    shell.type("fg\n")
    wait_for_foreground_command(shell, "cat")
    shell.type("here\n\x04")
    shell.expect("here\r\nhere")


def test_cmd_that_ignores_control_z_keeps_the_terminal(shell: Terminal) -> None:
    shell.type('run python3 -c \'import signal; signal.signal(20, signal.SIG_IGN); print("u" + "p", flush=True); print(input())\'\n')
    shell.expect("up\r\n")
    shell.type("\x1astill here\n")
    shell.expect("still here\r\nstill here")


def test_an_interactive_shell_inside_works_and_gives_the_terminal_back(shell: Terminal) -> None:
    shell.type("PS1='INNER> ' run bash --norc --noprofile -i; echo status=$?\n")
    shell.expect("INNER> ")
    shell.type("sleep 100\n")
    time.sleep(0.3)
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.type("kill %1; exit 4\n")
    shell.type("exit 4\n")
    shell.expect("status=4")


def test_a_new_window_size_reaches_cmd(shell: Terminal) -> None:
    shell.type("run bash -c 'trap \"stty size; exit\" WINCH; echo up; while :; do sleep 0.05; done'\n")
    shell.expect("up\r\n")
    shell.resize(33, 77)
    shell.expect("33 77")


def wait_for_foreground_command(shell: Terminal, name: str) -> None:
    """Until a process of that name is in the terminal's foreground group."""
    for _ in range(400):
        group = shell.foreground()
        stats = (stat_of(path) for path in Path("/proc").glob("[0-9]*/stat"))
        if any(f"({name})" in stat and stat.rpartition(")")[2].split()[2] == str(group) for stat in stats):
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} never came to the foreground")


def stat_of(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
