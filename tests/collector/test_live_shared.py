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


def again(call: int) -> pb.Upward:
    return pb.Upward(hello=pb.Hello(contract=1, agent="moving", boot_id="boot", node="node", version="test", call=call))


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


def test_an_agent_that_goes_from_one_to_the_other_and_back_loses_nothing(tmp_path: Path, shared: Shared) -> None:
    """Its stream is open all the while, and both collectors live on with what they knew of it."""
    said, number = batches("moving", 9), 0
    with collector(tmp_path / "one", *shared.options), collector(tmp_path / "other", *shared.options):
        for call, store in enumerate(("one", "other", "one", "other"), 1):
            part = said[number : number + 3]
            answers = send(tmp_path / store, [again(call), *part])
            assert answers[0].welcome.next_batch == number + 1
            number += len(part)
            assert acked(answers)[-1] == number
        [session] = ask(tmp_path / "one", "sessions.list")
        assert (session["complete"], session["missing"], session["calls"]) == (True, [], 9)
        assert uris(tmp_path / "other") == [f"/api/v1/namespaces/default/pods?n={n}" for n in range(9)]
        verdicts = ask(tmp_path / "other", "verdicts.list")
        assert len({verdict["id"] for verdict in verdicts}) == len(verdicts)


def test_what_the_one_before_did_not_store_is_said_again(tmp_path: Path, shared: Shared) -> None:
    said = batches("again", 4)
    killed = start(tmp_path / "one", *shared.options)
    with collector(tmp_path / "other", *shared.options):
        assert acked(send(tmp_path / "one", [again(1), *said[:2]]))[-1] == 2
        kill(killed)
        assert acked(send(tmp_path / "other", [again(2), *said[2:]]))[-1] == 6
        [session] = ask(tmp_path / "other", "sessions.list")
        assert (session["complete"], session["missing"], session["calls"]) == (True, [], 4)


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
