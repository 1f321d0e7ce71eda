"""kill -9 of a collector at random points while the agent's own outbox and uplink go on sending one long connection."""

import json
import random
import threading
import time
from pathlib import Path

import pytest
from support.collectors import ask, collector, kill, start
from support.conversations import Conversation
from support.h2_conversation import PODS, long_connection

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.uplink import Cargo, Uplink
from chaperone.collector.store.directory import socket_target
from chaperone.collector.store.embedded import Embedded
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.records import Record

ROUNDS = 300
DEATHS = 4
PIECES = "SELECT id, any(position) AS position, any(document) AS document FROM records WHERE kind = 'piece' GROUP BY id ORDER BY position"


def say(outbox: Outbox, records: list[Record], over: threading.Event, turn: threading.Semaphore) -> None:
    """As a tracer would, a part in each collector's life, slowly enough that its death falls into it; the rest at once when the deaths
    are over."""
    part = len(records) // (DEATHS + 1) + 1
    for at, record in enumerate(records):
        if at % part == 0:
            turn.acquire()
        outbox.put(record)
        outbox.tick()
        over.wait(0.012)
    outbox.flush()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_call_is_there_once_and_nothing_is_missing(tmp_path: Path, seed: int) -> None:
    dice, store, over, turn = random.Random(seed), tmp_path / "store", threading.Event(), threading.Semaphore(0)
    kill(start(store))
    outbox = Outbox(Limits(batch=dice.choice([2000, 5000, 20000]), delay_ns=100_000_000))
    uplink = Uplink(socket_target(store), wire.Hello(contract=1, agent=f"agent-{seed}", boot_id="boot"), Cargo(outbox))
    uplink.start()
    tracer = threading.Thread(target=say, args=(outbox, long_connection(ROUNDS, Conversation()), over, turn))
    tracer.start()
    for _ in range(DEATHS):
        process = start(store)
        turn.release()
        time.sleep(dice.uniform(0.05, 1.2))
        assert tracer.is_alive(), "every death is to fall into the talk"
        kill(process)
    with collector(store):
        over.set()
        turn.release()
        tracer.join()
        assert uplink.finish(20), uplink.trouble
        found = [call["requestURI"] for call in ask(store, "calls.list", limit=10_000)]
        [session] = ask(store, "sessions.list")
    assert sorted(found) == sorted([f"{PODS}?watch=true", *(f"{PODS}/pod-{number}" for number in range(ROUNDS))])
    assert (session["complete"], session["missing"], session["calls"]) == (True, [], ROUNDS + 1)
    assert watched(store) == [f"pod-{number}" for number in range(ROUNDS)]


def watched(store: Path) -> list[str]:
    """The names in the watch's events, in order, each row once."""
    engine = Embedded(store / "clickhouse")
    try:
        bodies = [json.loads(row["document"])["body"] for row in engine.rows(PIECES)]
    finally:
        engine.close()
    return [json.loads(body["data"])["object"]["metadata"]["name"] for body in bodies if body.get("data")]
