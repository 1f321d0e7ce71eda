"""A store's collector is reached, started or its absence explained."""

import fcntl
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.filled_store import filled

from chaperone.collector.cli import connect
from chaperone.collector.cli.failed import CommandError

__all__ = ["filled"]


def test_reading_makes_no_store(tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.mkdir()
    for store in (missing, empty):
        with pytest.raises(CommandError, match="nothing is recorded yet") as failed:
            connect.reach(store)
        assert failed.value.step == "record with: chaperone run -- kubectl get pods"
    assert not missing.exists()
    assert list(empty.iterdir()) == []


def test_a_collector_is_started_and_used_again(filled: Path) -> None:
    connect.reach(filled)
    holder = (filled / "lock").read_text()
    assert connect.is_answering(filled)
    connect.reach(filled)
    assert (filled / "lock").read_text() == holder


def test_many_at_once_get_one_collector(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with ThreadPoolExecutor(4) as pool:
        for reached in [pool.submit(connect.reach, store, create=True) for _ in range(4)]:
            reached.result(60)
    assert connect.is_answering(store)


def test_a_socket_is_reached_however_long_its_path(tmp_path: Path) -> None:
    store = tmp_path / ("d" * 100) / ("e" * 100)
    store.mkdir(parents=True)
    assert not connect.is_answering(store)
    directory = os.open(store, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{directory}/collector.sock")
        listener.listen()
        assert connect.is_answering(store)  # it says nothing, and is there
    os.close(directory)
    assert not connect.is_answering(store)


def test_a_collector_that_is_dying_is_none(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(str(tmp_path / "collector.sock"))
        listener.listen()
        answer = pool.submit(connect.is_answering, tmp_path)
        time.sleep(0.3)  # connected: the kernel accepts for it
        listener.close()
        assert not answer.result(5)


def test_a_store_held_by_something_that_is_no_collector_names_it_at_once(filled: Path) -> None:
    started = time.monotonic()
    hold = "import fcntl, os, sys; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); print(os.getpid(), flush=True); sys.stdin.read()"
    _wait_until_free(filled)
    with subprocess.Popen(
        [sys.executable, "-c", hold, filled / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        pid = holder.stdout.readline().strip()
        with pytest.raises(CommandError, match="no collector answers") as failed:
            connect.reach(filled)
        assert holder.stdin is not None
        holder.stdin.close()
    assert failed.value.step == f"process {pid} has it open; end it, then try again"
    assert time.monotonic() - started < connect.REACH_S / 2


def test_a_collector_that_is_slow_to_start_is_waited_for(filled: Path) -> None:
    _wait_until_free(filled)
    slow = "import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); print(flush=True); time.sleep(4)"
    argv = [sys.executable, "-c", slow, filled / "lock", connect.MODULE]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        connect.reach(filled)
    assert connect.is_answering(filled)


def test_a_keeper_that_leaves_between_two_looks_is_no_failure(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _wait_until_free(filled)
    held, start, tries = iter([[os.getpid()], []]), connect._start, iter(["it is locked", "it is locked"])
    monkeypatch.setattr(connect, "_holders", lambda _store: next(held))
    monkeypatch.setattr(connect, "_start", lambda *given: next(tries, "") or start(*given))
    connect.reach(filled)
    assert connect.is_answering(filled)


def test_a_store_of_a_newer_version_is_refused_with_its_own_sentence(filled: Path) -> None:
    _wait_until_free(filled)
    (filled / "version").write_text("9999\n")
    with pytest.raises(CommandError, match=r"9999|newer") as failed:
        connect.reach(filled)
    assert str(filled) in failed.value.sentence + failed.value.step


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all")
    with pytest.raises(CommandError, match="not a Chaperone store"):
        connect.reach(tmp_path)
    with pytest.raises(CommandError, match="is no directory"):
        connect.reach(tmp_path / "letter.txt")


def _wait_until_free(store: Path) -> None:
    """Until a collector that other tests started has gone."""
    with (store / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
