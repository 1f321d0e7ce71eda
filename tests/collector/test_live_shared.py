"""Real collectors over one ClickHouse database."""

from pathlib import Path

import pytest
from support.collectors import acked, ask, batch, collector, hello, kill, send, start
from support.conversations import Conversation, pods
from support.shared_database import Shared

from chaperone.collector.__main__ import main
from chaperone.proto import capture_pb2 as pb


def batches(name: str, calls: int) -> list[pb.Upward]:
    """A session: its beginning, one call each, its end."""
    one = Conversation(name)
    exchanges = [one.exchange(f"/api/v1/namespaces/default/pods?n={n}", pods(n + 1, 200)) for n in range(calls)]
    return [batch(number, group) for number, group in enumerate([one.begun(), *exchanges, one.ended()], 1)]


def uris(store: Path) -> list[str]:
    return sorted(call["requestURI"] for call in ask(store, "calls.list"))


def test_what_one_collector_takes_another_shows(tmp_path: Path, shared: Shared) -> None:
    with collector(tmp_path / "one", *shared.options), collector(tmp_path / "other", *shared.options):
        for name in ("one", "other"):
            assert acked(send(tmp_path / name, [hello(name), *batches(name, 3)]))[-1] == 5
        assert (
            uris(tmp_path / "one") == uris(tmp_path / "other") == sorted([f"/api/v1/namespaces/default/pods?n={n}" for n in range(3)] * 2)
        )
        status = ask(tmp_path / "one", "status")[0]
        assert status["counts"]["call"] == 6 and status["size"] > 0
    assert not list((tmp_path / "one/clickhouse").iterdir())


def test_a_collector_that_was_killed_left_all_that_it_acked(tmp_path: Path, shared: Shared) -> None:
    killed = start(tmp_path / "one", *shared.options)
    assert acked(send(tmp_path / "one", [hello("one"), *batches("one", 2)]))[-1] == 4
    kill(killed)
    with collector(tmp_path / "other", *shared.options):
        assert len(uris(tmp_path / "other")) == 2
        assert send(tmp_path / "other", [hello("one")])[0].welcome.next_batch == 5


def test_a_collector_with_other_keys_does_not_start(tmp_path: Path, shared: Shared, capfd: pytest.CaptureFixture[str]) -> None:
    with collector(tmp_path / "one", *shared.options):
        pass
    (shared.keys / "fingerprint.key").write_bytes(b"another key of thirty-two bytes.")
    assert main(["--store", str(tmp_path / "other"), *shared.options]) == 1
    assert "collectors with another key" in capfd.readouterr().err
    (shared.keys / "fingerprint.key").write_bytes(b"short")
    assert main(["--store", str(tmp_path / "other"), *shared.options]) == 1
    assert "has 5 bytes, not 32" in capfd.readouterr().err


def test_a_server_that_is_not_there_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path / "one"), "--clickhouse-url", "http://127.0.0.1:1"]) == 1
    assert "the ClickHouse server can't be reached" in capfd.readouterr().err
    assert main(["--store", str(tmp_path / "one"), "--clickhouse-url", "https://user:canary@clickhouse"]) == 1
    told = capfd.readouterr().err
    assert "--clickhouse-login" in told and "canary" not in told
