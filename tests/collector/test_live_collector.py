"""A collector as a process: what it acks is there after any death, nothing is there twice, and it says what is wrong."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.collectors import acked, ask, batch, collector, hello, kill, send, start, stop, talk
from support.conversations import Conversation, pods
from support.leaks import leaks_in_store, plant

from chaperone.collector.store.directory import SOCKET
from chaperone.proto import capture_pb2 as pb

CANARY = "canary-4f1b9e-s3cr3t"


def conversation(calls: int, name: str = "one") -> list[pb.Upward]:
    """A session in batches: its beginning, one call each, its end."""
    one = Conversation(name)
    begun = one.begun()
    exchanges = [one.exchange(f"/api/v1/namespaces/default/pods?n={n}", pods(n + 1, 200)) for n in range(calls)]
    groups = [begun, *exchanges, one.ended()]
    return [batch(number, group) for number, group in enumerate(groups, 1)]


def uris(store: Path) -> list[str]:
    return [call["requestURI"] for call in ask(store, "calls.list")]


def expected(calls: int) -> list[str]:
    return [f"/api/v1/namespaces/default/pods?n={n}" for n in range(calls)]


def test_a_session_is_recorded_end_to_end(tmp_path: Path) -> None:
    with collector(tmp_path):
        answers = send(tmp_path, [hello(), *conversation(3)])
        assert answers[0].welcome.next_batch == 1
        assert acked(answers)[-1] == 5
        assert uris(tmp_path) == expected(3)
        [session] = ask(tmp_path, "sessions.list")
        assert (session["calls"], session["complete"], session["missing"]) == (3, True, [])
        call = ask(tmp_path, "calls.list", bodies=True)[0]
        assert call["process"] == {"id": call["process"]["id"], "pid": 4242, "exe": "/usr/bin/kubectl", "argv": ["kubectl", "get", "pods"]}
        assert (call["verb"], call["resource"], call["namespace"], call["code"]) == ("list", "pods", "default", 200)
        kinds = [moment["kind"] for moment in ask(tmp_path, "replay", session="latest")]
        assert kinds[0] == "session" and kinds[-1] == "end" and kinds.count("call") == kinds.count("answer") == 3


def test_the_store_and_its_socket_are_for_the_owner_only(tmp_path: Path) -> None:
    with collector(tmp_path / "store"):
        assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "store" / SOCKET).stat().st_mode) == 0o600
    assert not (tmp_path / "store" / SOCKET).exists()


def test_nothing_acked_is_lost_and_nothing_is_twice_when_it_is_killed(tmp_path: Path) -> None:
    calls, kept = 12, 0
    messages = conversation(calls)
    for survived in range(3):
        process = start(tmp_path)
        kept = max(kept, _send_until_killed(tmp_path, messages, process, acks=3 + survived))
    with collector(tmp_path):
        welcome = send(tmp_path, [hello()])[0].welcome
        assert welcome.next_batch > kept
        answers = send(tmp_path, [hello(), *messages[welcome.next_batch - 1 :]])
        assert acked(answers)[-1:] in ([], [len(messages)])
        found = uris(tmp_path)
        assert len(found) == len(set(found))
        assert set(expected(min(kept - 1, calls))) <= set(found)  # it may have acked the session's end too before it was dead


def test_a_batch_sent_twice_is_taken_once(tmp_path: Path) -> None:
    messages = conversation(2)
    with collector(tmp_path):
        assert acked(send(tmp_path, [hello(), *messages[:3], *messages[:3]]))[-1] == 3
        assert acked(send(tmp_path, [hello(), *messages]))[-1] == 4
        assert uris(tmp_path) == expected(2)
        assert ask(tmp_path, "sessions.list")[0]["complete"]
    with collector(tmp_path):
        assert send(tmp_path, [hello()])[0].welcome.next_batch == 5
        assert acked(send(tmp_path, [hello(), *messages]))[-1] == 4
        assert uris(tmp_path) == expected(2)


def test_a_stream_goes_on_after_a_restart_from_its_mark(tmp_path: Path) -> None:
    messages = conversation(4)
    with collector(tmp_path):
        send(tmp_path, [hello(), *messages[:3]])
    with collector(tmp_path):
        send(tmp_path, [hello(), *messages[3:]])
        [session] = ask(tmp_path, "sessions.list")
        assert uris(tmp_path) == expected(4)
        assert (session["complete"], session["missing"]) == (True, [])


def test_a_stream_whose_mark_is_lost_is_joined_late_and_says_so(tmp_path: Path) -> None:
    messages = conversation(4)
    with collector(tmp_path):
        send(tmp_path, [hello(), *messages[:3]])
    (tmp_path / "fingerprint.key").write_bytes(b"another key, so that marks do not open"[:32])
    with collector(tmp_path):
        send(tmp_path, [hello(), *messages[3:]])
        [session] = ask(tmp_path, "sessions.list")
        assert uris(tmp_path)[:2] == expected(2)
        assert not session["complete"]
        assert any("read from the middle" in sentence for sentence in session["missing"])
        assert not any("bytes lost" in sentence for sentence in session["missing"])


def test_a_second_collector_is_told_who_has_the_store(tmp_path: Path) -> None:
    with collector(tmp_path) as first:
        done = run(tmp_path)
        assert done.returncode == 1
        assert done.stderr.strip().endswith(f"is locked by process {first.pid}, which has it open: use its socket, or stop that process")
        assert done.stderr.count("\n") == 1


def test_a_store_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    with collector(tmp_path):
        pass
    ours = (tmp_path / "version").read_text()
    (tmp_path / "version").write_text("99\n")
    done = run(tmp_path)
    assert done.returncode == 1 and "has layout 99" in done.stderr and "upgrade Chaperone" in done.stderr
    assert (tmp_path / "version").read_text() == "99\n"
    (tmp_path / "version").write_text(ours)
    with collector(tmp_path):
        assert ask(tmp_path, "sessions.list") == []


def test_it_ends_when_nobody_needs_it(tmp_path: Path) -> None:
    with collector(tmp_path, "--exit-when-idle", "0.5", "--first-client", "60") as process:
        ask(tmp_path, "status")
        assert process.wait(60) == 0


def test_it_stays_while_an_agent_is_connected(tmp_path: Path) -> None:
    done = threading.Event()

    def waiting() -> Iterator[pb.Upward]:
        yield hello()
        done.wait(60)

    with collector(tmp_path, "--exit-when-idle", "0.5", "--first-client", "60") as process:
        agent = threading.Thread(target=lambda: send(tmp_path, waiting()))
        agent.start()
        time.sleep(1.5)
        assert process.poll() is None
        done.set()
        agent.join()
        assert process.wait(60) == 0


def test_a_store_deeper_than_a_socket_address_is_served(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / "store"
    with collector(deep):
        assert ask(deep, "status")[0]["counts"] == {}


def test_what_is_acked_was_synced_before(tmp_path: Path) -> None:
    strace = "/usr/bin/strace"
    if not Path(strace).exists():
        pytest.skip("tracing system calls needs strace")
    log = tmp_path / "calls"
    with collector(tmp_path / "store") as process:
        tracer = subprocess.Popen(
            [strace, "-f", "-qq", "-e", "trace=fsync,fdatasync", "-p", str(process.pid), "-o", str(log)], stderr=subprocess.PIPE
        )
        time.sleep(1)
        if tracer.poll() is not None:
            pytest.skip(f"tracing a process: {tracer.stderr.read().decode().strip() if tracer.stderr else ''}")
        before = log.read_text().count("sync(")
        assert acked(send(tmp_path / "store", [hello(), *conversation(1)]))[-1] == 3
        after = log.read_text().count("sync(")
        tracer.terminate()
        tracer.communicate()
    assert after - before >= 4, "records and agents, each its data and its directory"


def test_no_unmasked_secret_is_in_any_column_or_file(tmp_path: Path) -> None:
    one = Conversation()
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "db"}, "stringData": {"password": CANARY}}
    records = [
        *one.begun("deploy", f"--token={CANARY}"),
        one.request("/api/v1/namespaces/default/secrets/db", headers=f"Authorization: Bearer {CANARY}\r\n"),
        one.answer(secret),
        *one.ended(),
    ]
    store = tmp_path / "store"
    with collector(store):
        send(store, [hello(), batch(1, records)])
        assert ask(store, "calls.list")[0]["resource"] == "secrets"
    assert leaks_in_store(store, CANARY.encode()) == []
    plant(store, CANARY.encode())
    found = leaks_in_store(store, CANARY.encode())
    assert any(hit.startswith("records.document: raw") for hit in found), found
    assert any(hit.startswith("clickhouse/") for hit in found), found


def _send_until_killed(store: Path, messages: list[pb.Upward], process: "subprocess.Popen[bytes]", acks: int) -> int:
    """Send everything and kill the collector after some acks; the highest acked number."""

    def on_ack(number: int) -> None:
        if number >= acks and process.poll() is None:
            kill(process)

    highest, _ = talk(store, [hello(), *messages], on_ack)
    if process.poll() is None:
        kill(process)
    return highest


def run(store: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "chaperone.collector", "--store", str(store)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=dict(os.environ))


def test_a_signal_ends_it_cleanly_with_an_agent_connected(tmp_path: Path) -> None:
    done = threading.Event()

    def waiting() -> Iterator[pb.Upward]:
        yield from [hello(), *conversation(1)[:2]]
        done.wait(15)

    with collector(tmp_path) as process:
        found: list[tuple[int, Exception | None]] = []
        agent = threading.Thread(target=lambda: found.append(talk(tmp_path, waiting())))
        agent.start()
        time.sleep(1)
        started = time.monotonic()
        assert stop(process) == 0
        assert time.monotonic() - started < 8
        done.set()
        agent.join()
    assert found[0][0] == 2


def test_its_memory_gets_into_no_core_file() -> None:
    code = "import ctypes; from chaperone.collector.__main__ import leave_no_dump as f; f(); print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=30) == "0\n"
