"""Agents and collectors that are killed at any instant: what an agent had put into a batch is in the recording, once; that it died too."""

import random
import time
from pathlib import Path

import pytest
from support.collectors import ask, collector, kill, start
from support.conversations import Conversation
from support.h2_conversation import PODS, long_connection
from support.lives import Life, answered

from chaperone.agent.deliver.leftovers import DIED

ROUNDS = 120
LIVES = 4
AWAY_ROUNDS, MEMORY = 150, 200_000


def assert_recorded(store: Path, life: Life) -> None:
    """All that it had put into batches is there, each call once; its session is ended and says why it is not all."""
    session = Conversation(life.name).session
    found = [call["requestURI"] for call in ask(store, "calls.list", session=session, limit=10_000)]
    said = long_connection(life.rounds, Conversation(life.name))
    assert len(found) == len(set(found))
    assert answered(life.kept, life.name) <= set(found)
    [row] = ask(store, "session.summary", session=session)
    is_whole = life.kept == len(said)
    assert row["ended"], (life.name, row)
    if is_whole:
        assert row["missing"] == [], (life.name, row)
    else:
        assert any(DIED in sentence for sentence in row["missing"]), (life.name, row)
        assert not any("bytes lost" in sentence for sentence in row["missing"]), (life.name, row)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_put_into_a_batch_survives_the_deaths_of_both(tmp_path: Path, seed: int) -> None:
    dice, store = random.Random(seed), tmp_path / "store"
    process, lives = start(store), list[Life]()
    for number in range(LIVES):
        lives.append(Life(store, f"{seed}-{number}", ROUNDS))
        lives[-1].until(dice.choice([0, 40, 80]) if number else 40)
        time.sleep(dice.uniform(0, 0.5))
        victims = dice.choice(["agent", "both", "collector first", "agent"])
        if victims != "agent":
            kill(process)
            time.sleep(dice.uniform(0, 0.3) if victims == "collector first" else 0)
        lives[-1].kill()
        if victims != "agent":
            process = start(store)
    last = Life(store, f"{seed}-last", 0)
    assert last.end() == 0, last.told
    kill(process)
    with collector(store):
        assert sum(len(answered(life.kept, life.name)) > 3 for life in lives) >= 1, "some lived long enough to say something"
        for life in lives:
            assert_recorded(store, life) if life.kept else None
    assert [path.name for path in (store / "spool").iterdir()] == ["collector.key"]


def test_a_collector_that_is_away_for_more_than_memory_gets_everything(tmp_path: Path) -> None:
    store = tmp_path / "store"
    kill(start(store))
    life = Life(store, "away", AWAY_ROUNDS, ("0", str(MEMORY), "15000"))
    size = 0
    while life.process.poll() is None and size < 4 * MEMORY:
        size = sum(path.stat().st_size for path in store.glob("spool/away/*.segment"))
        time.sleep(0.02)
    assert size >= 4 * MEMORY, "far more than its memory waits on disk"
    with collector(store):
        assert life.end() == 0 and life.told[-1] == "left 0 0"
        found = [call["requestURI"] for call in ask(store, "calls.list", limit=10_000)]
        assert sorted(found) == sorted([f"{PODS}?watch=true", *(f"{PODS}/pod-{number}" for number in range(AWAY_ROUNDS))])
        [session] = ask(store, "sessions.list")
        assert (session["complete"], session["missing"]) == (True, [])
    assert [path.name for path in (store / "spool").iterdir()] == ["collector.key"], "SIGTERM or not: nothing waits, nothing stays"


def test_a_spool_sealed_to_another_collector_waits_for_that_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    with collector(one) as process:
        life = Life(one, "lost", ROUNDS)
        while life.kept < 20:
            time.sleep(0.02)
        kill(process)
        life.kill()
    with collector(other):
        (one / "spool").rename(other / "spool")
        visitor = Life(other, "visitor", 0)
        assert visitor.end() == 1 and visitor.told[-1] == "left 0 1"
        assert ask(other, "calls.list") == []
    (other / "spool").rename(one / "spool")
    with collector(one):
        assert Life(one, "heir", 0).end() == 0
        assert_recorded(one, life)


def test_of_a_damaged_segment_the_rest_arrives_and_the_hole_is_stated(tmp_path: Path) -> None:
    store = tmp_path / "store"
    kill(start(store))
    (store / "spool").mkdir()
    with collector(store) as process:
        assert Life(store, "first", 2).end() == 0, "so that the spool has the collector's key"
        kill(process)
    life = Life(store, "torn", ROUNDS)
    while life.kept < 150:
        time.sleep(0.02)
    life.kill()
    [path] = store.glob("spool/torn/*.segment")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with collector(store):
        assert Life(store, "heir", 0).end() == 0
        [row] = ask(store, "session.summary", session=Conversation("torn").session)
        assert any("batches were damaged on disk" in sentence for sentence in row["missing"]), row
        assert any("bytes lost" in sentence for sentence in row["missing"]), row
