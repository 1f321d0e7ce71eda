"""`chaperone run` as a user types it: whole, on the real kernel, against a server that logs what it was asked."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.kernel import skip_without_kernel
from support.receivers import serving

from chaperone.collector.cli.ask import ask
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.launch.cgroup import PREFIX, own_group
from chaperone.collector.cli.run import settled
from chaperone.collector.store.directory import holder

__all__ = ["apiserver"]
CHAPERONE = Path(sys.executable).with_name("chaperone")
COUNTS = r"(?:([\d,]+) calls? · [\d.]+ [KMG]?B · )?(?:[\d,]+ alerts? · )?"
LINE = re.compile(rf"chaperone: session ([0-9a-f]{{8}}) · {COUNTS}(.*?) · replay with: chaperone replay (.*)$")


@pytest.fixture
def kernel() -> None:
    skip_without_kernel()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store of its own; no collector of it outlives the test."""
    place = tmp_path / "store"
    yield place
    end_collector(place, signal.SIGTERM)


def end_collector(store: Path, number: int) -> bool:
    """Send a signal to the store's collector; whether there was one."""
    pid = holder(store)
    if not pid:
        return False
    os.kill(pid, number)
    return True


MASKING = "apiVersion: chaperone.dev/v1\nkind: Masking\ndisable: [{name}]\n"


def test_a_store_remembers_what_a_run_wants_masked(store: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(MASKING.format(name="jwt"))
    other.write_text(MASKING.format(name="known"))
    settled(store, one)
    assert (store / "masking.yaml").read_text() == one.read_text()
    settled(store, None)  # as the store has it
    settled(store, one)
    with pytest.raises(CommandError, match="masks by another file"):
        settled(store, other)
    assert end_collector(store, signal.SIGTERM)
    while holder(store):
        time.sleep(0.05)
    settled(store, other)
    assert (store / "masking.yaml").read_text() == other.read_text()


def test_a_run_with_a_bad_masking_file_starts_no_collector(store: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(MASKING.format(name="nothing"))
    with pytest.raises(CommandError, match=f"{bad}:3: disable"):
        settled(store, bad)
    assert not store.exists()


class Chaperone:
    """The command with one store and one apiserver."""

    def __init__(self, store: Path, kubeconfig: Path) -> None:
        self.store, self.environment = store, {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def start(self, *command: str, options: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        argv = [CHAPERONE, "run", "--store", self.store, *options, "--", *command]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(argv, text=True, errors="surrogateescape", env=self.environment, **pipes)  # type: ignore[call-overload,no-any-return]

    def run(self, *command: str, options: tuple[str, ...] = ()) -> tuple[int, str, str]:
        """Exit status, stdout, stderr. No cgroup may stay behind."""
        process = self.start(*command, options=options)
        out, err = process.communicate(timeout=60)
        assert not list(own_group().glob(f"{PREFIX}{process.pid}-*"))
        return process.returncode, out, err

    def calls(self, session: str) -> list[dict[str, Any]]:
        argv = [CHAPERONE, "calls", "list", "--store", self.store, "--session", session, "-o", "json"]
        found: list[dict[str, Any]] = json.loads(subprocess.check_output(argv, text=True, timeout=30))
        return found


@pytest.fixture
def chaperone(kernel: None, store: Path, apiserver: ApiServer) -> Chaperone:
    return Chaperone(store, apiserver.kubeconfig)


def last_line(err: str) -> tuple[str, int, str]:
    """Session, number of calls, and `complete` or what is missing."""
    found = LINE.match(err.splitlines()[-1])
    assert found, err
    return found[1], int((found[2] or "-1").replace(",", "")), found[3]


def children(pid: int, module: str) -> list[int]:
    """The launcher's agent or collector."""
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", module], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in found.split()]


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.kernel
def test_kubectl_get_secrets_is_recorded_as_the_server_saw_it(chaperone: Chaperone, apiserver: ApiServer) -> None:
    status, out, err = chaperone.run("kubectl", "get", "secrets")
    assert status == 0, err
    assert "db-cred" in out
    session, number, completeness = last_line(err)
    calls = chaperone.calls(session)
    assert completeness == "complete"
    assert number == len(calls)
    recorded = [(call["requestURI"], call["code"], call["auditID"]) for call in calls]
    assert sorted(recorded) == sorted((asked["requestURI"], asked["code"], asked["auditID"]) for asked in apiserver.requests())
    assert {tuple(call["process"]["argv"]) for call in calls} == {("kubectl", "get", "secrets")}


@pytest.mark.kernel
def test_stdin_reaches_cmd_and_its_status_comes_back(chaperone: Chaperone) -> None:
    process = chaperone.start("sh", "-c", "cat; kill -TERM $$")
    out, err = process.communicate("hello\n", timeout=60)
    assert (process.returncode, out) == (143, "hello\n")
    assert last_line(err)[1:] == (0, "complete")


@pytest.mark.kernel
@pytest.mark.parametrize("arguments", [("--", "x"), ("exec", "pod", "--", "sh", "--"), ("", "\udcff", "ä\n{")])
def test_any_arguments_reach_cmd_and_the_recording(chaperone: Chaperone, arguments: tuple[str, ...]) -> None:
    status, out, err = chaperone.run("printf", "%s.", *arguments)
    assert (status, out) == (0, "".join(f"{os.fsdecode(part)}." for part in arguments))
    session, _, completeness = last_line(err)
    assert completeness == "complete"
    shown = subprocess.check_output(
        [CHAPERONE, "sessions", "show", session, "--store", chaperone.store, "-o", "json"], text=True, timeout=30
    )
    expected = [part.replace("\udcff", "\\udcff") for part in arguments]
    assert json.loads(shown)["argv"] == ["printf", "%s.", *expected]


@pytest.mark.kernel
def test_two_runs_at_once_share_a_store_and_none_harms_the_other(chaperone: Chaperone) -> None:
    first = chaperone.start("sh", "-c", "echo up; read x; kubectl get secrets")
    assert first_line(first) == "up\n"
    status, _, err = chaperone.run("kubectl", "get", "pods")
    assert (status, last_line(err)[2]) == (0, "complete")
    time.sleep(4)  # longer than a collector without clients stays
    out, first_err = first.communicate("\n", timeout=60)
    assert "db-cred" in out
    assert last_line(first_err)[2] == "complete"
    assert last_line(first_err)[0] != last_line(err)[0]


def has_ended(pid: int) -> bool:
    """Whether a child nobody has waited for is over: its last thread goes only when the kernel has taken its probes off."""
    return " Z " in Path(f"/proc/{pid}/stat").read_text() and len(list(Path(f"/proc/{pid}/task").iterdir())) == 1


@pytest.mark.kernel
def test_a_killed_agent_leaves_cmd_unharmed_and_the_line_says_so(chaperone: Chaperone) -> None:
    process = chaperone.start("sh", "-c", "echo up; read x; echo on; exit 5")
    first_line(process)
    for agent in children(process.pid, "chaperone.agent"):
        os.kill(agent, signal.SIGKILL)
        wait_for(lambda: has_ended(agent), "the agent's end")  # noqa: B023  (called at once)
    time.sleep(0.2)
    out, err = process.communicate("\n", timeout=60)
    assert (process.returncode, out) == (5, "on\n")
    completeness = last_line(err)[2]
    assert completeness == (
        "incomplete: the agent ended before CMD did; agent: the agent was ended by signal 9: what followed was not recorded"
    )


@pytest.mark.kernel
def test_a_killed_collector_leaves_cmd_unharmed_and_what_it_lacked_comes_again(chaperone: Chaperone) -> None:
    process = chaperone.start("sh", "-c", "kubectl get pods; echo up; read x; kubectl get secrets; exit 6")
    while first_line(process) != "up\n":
        pass
    assert end_collector(chaperone.store, signal.SIGKILL)
    out, err = process.communicate("\n", timeout=60)
    assert process.returncode == 6
    assert "db-cred" in out
    session, _, completeness = last_line(err)
    secrets = [call for call in chaperone.calls(session) if call["resource"] == "secrets"]
    assert [call["code"] for call in secrets] == [200], completeness


@pytest.mark.kernel
def test_a_broken_kubeconfig_is_noted_and_never_fatal(chaperone: Chaperone, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("a: [")
    chaperone.environment["KUBECONFIG"] = str(tmp_path / "broken")
    status, out, err = chaperone.run("echo", "ran")
    assert (status, out) == (0, "ran\n")
    assert last_line(err)[2] == "complete"


@pytest.mark.kernel
def test_a_store_that_fills_up_is_said_and_cmd_unharmed(chaperone: Chaperone, apiserver: ApiServer, tmp_path: Path) -> None:
    chaperone.store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", chaperone.store], check=True)
    try:
        process = chaperone.start("sh", "-c", f"echo up; read x; curl -sS --cacert {apiserver.ca} {apiserver.url}/version; exit 3")
        first_line(process)
        filler = chaperone.store / "filler"
        fill(filler)
        _, err = process.communicate("\n", timeout=90)
        assert process.returncode == 3
        assert "incomplete" in err.splitlines()[-1]
    finally:
        wait_for(lambda: not end_collector(chaperone.store, signal.SIGKILL), "the collector's end")
        subprocess.run(["umount", "-l", chaperone.store], check=True)


@pytest.mark.kernel
def test_a_store_that_is_already_full_is_125_and_cmd_does_not_run(chaperone: Chaperone) -> None:
    chaperone.store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", chaperone.store], check=True)
    try:
        assert chaperone.run("true")[0] == 0
        wait_for(lambda: not end_collector(chaperone.store, signal.SIGTERM), "the collector's end")
        fill(chaperone.store / "filler")
        status, out, err = chaperone.run("echo", "ran")
        assert (status, out) == (125, "")
        assert "Traceback" not in err
    finally:
        wait_for(lambda: not end_collector(chaperone.store, signal.SIGKILL), "the collector's end")
        subprocess.run(["umount", "-l", chaperone.store], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as full:  # what a buffer holds would be written again when it is closed
        try:
            while True:
                full.write(bytes(1 << 16))
        except OSError:
            return


@pytest.mark.skipif(os.geteuid() != 0, reason="without root nothing is begun at all")
@pytest.mark.parametrize(("command", "status"), [("no-such-command", 127), ("/etc/passwd", 126)])
def test_what_cannot_run_is_said_in_one_line(store: Path, command: str, status: int) -> None:
    done = subprocess.run([CHAPERONE, "run", "--store", store, "--", command], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr.startswith(f"chaperone: {command}: ")
    assert not store.exists()


def a_file(store: Path) -> None:
    store.write_text("no directory")


def a_newer_store(store: Path) -> None:
    store.mkdir()
    (store / "version").write_text("9999")


def a_locked_store(store: Path) -> None:
    store.mkdir()
    (store / "version").write_text("1")
    lock = os.open(store / "lock", os.O_RDWR | os.O_CREAT)
    os.write(lock, b"0")
    fcntl.flock(lock, fcntl.LOCK_EX)  # as long as this test process lives


def somebody_elses_folder(store: Path) -> None:
    store.mkdir()
    (store / "thesis.tex").write_text("")


@pytest.mark.kernel
@pytest.mark.parametrize("spoil", [a_file, a_newer_store, a_locked_store, somebody_elses_folder])
def test_a_store_that_cannot_be_used_is_125_and_cmd_does_not_run(kernel: None, store: Path, spoil: Callable[[Path], None]) -> None:
    spoil(store)
    done = subprocess.run(
        [CHAPERONE, "run", "--store", store, "--", "echo", "ran"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (125, "")
    assert str(store) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming nobody needs root")
def test_without_root_the_sentence_has_the_command_that_helps(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "from chaperone.collector.cli.app import main; main()", "run", "--store", "/tmp/x", "--", "echo", "ran"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, user="nobody", cwd="/")
    assert (done.returncode, done.stdout) == (125, "")
    assert "recording needs root" in done.stderr
    assert "sudo" in done.stderr


def test_the_stores_collector_tells_the_receivers_of_a_file(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(f"apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers: [{{name: file, jsonl: {{file: {tmp_path}/told}}}}]")
    settled(store, None, path)
    list(ask(store, "alerts.test"))
    assert "This is a test" in (tmp_path / "told").read_text()
    path.write_text("kind: Alerting")
    with pytest.raises(CommandError, match=r"alerts\.yaml:1: expected the key apiVersion"):
        settled(store, None, path)


@pytest.mark.kernel
def test_people_are_told_what_a_run_did(chaperone: Chaperone, tmp_path: Path) -> None:
    with serving() as server:
        path = tmp_path / "alerts.yaml"
        path.write_text(f"apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers: [{{name: team, slack: {{url: '{server.url}'}}}}]")
        status, _, err = chaperone.run("kubectl", "get", "secrets", options=("--alerts", str(path)))
        assert status == 0, err
        wait_for(lambda: server.got, "the message")
        message = server.got[0].body.decode()
    session, _, _ = last_line(err)
    assert "read-secrets" in message and f"chaperone replay {session}" in message and "kubectl get secrets" in message
