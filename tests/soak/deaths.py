"""Rounds of deaths and full disks, as long as one likes: `python -m soak.deaths [--rounds 100] [--seed N]`. Root, for small file systems.

In each round agents without a kernel say one long HTTP/2 connection each; they and the collector are killed, the disks of spool and
store are filled and emptied, the collector is away for more than an agent's memory, all at random. In the end everything is delivered.
Then of each call that was said, it is in the store once, or a stated gap lies where its request was, or the agent died in it and says so.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.collectors import ask, collector, kill, start
from support.conversations import Conversation
from support.h2_conversation import PODS, long_connection
from support.lives import Life
from support.small_disk import small_disk

from chaperone.agent.deliver.leftovers import DIED
from chaperone.proto.records import Chunk, Direction

LIVES, ROUNDS = 3, 200
MEMORY, NOISE = 200_000, 15_000
SPOOL, STORE = "1m", "160m"
FILLED = {"spool": (1 << 20) - (1 << 17), "store": 110 << 20}
EVENTS = ("collector", "away", "spool", "spool and away", "store", "nothing")


@dataclass
class Found:
    """What one life came to: calls there, in stated gaps, behind its death; and what must not be."""

    recorded: int = 0
    in_gap: int = 0
    behind: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass
class Scene:
    """A collector over a store, both on small disks."""

    store: Path
    dice: random.Random
    process: Any = None

    def happen(self, event: str) -> None:
        """One thing that goes wrong, and its end."""
        if event == "spool and away":
            with filled(self.store / "spool/.filler", FILLED["spool"]):
                self.happen("away")
        elif event in FILLED:
            with filled(self.store / "filler" if event == "store" else self.store / "spool/.filler", FILLED[event]):
                time.sleep(self.dice.uniform(0.2, 1.0))
        elif event != "nothing":
            kill(self.process)
            time.sleep(self.dice.uniform(1.0, 3.0) if event == "away" else 0)
            self.process = start(self.store)


@contextmanager
def filled(path: Path, size: int) -> Iterator[None]:
    """A file that takes so much room, as far as there is any."""
    try:
        with path.open("wb") as file:
            file.write(bytes(size))
    except OSError:
        pass  # there is none left: that is what it is for
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def soak_round(seed: int, lives: int = LIVES) -> list[Found]:
    """One round; what became of each life."""
    dice = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(small_disk(folder / "store", STORE))
        stack.enter_context(small_disk(store / "spool", SPOOL))
        scene = Scene(store, dice, start(store))
        died = [_lived(scene, f"{seed}-{number}") for number in range(lives)]
        kill(scene.process)
        with collector(store):
            heir = Life(store, f"{seed}-heir", 0)
            status = heir.end()
            found = [judged(store, life) for life in died]
    if status:
        found[-1].faults.append(f"the heir did not deliver all: {heir.told}")
    return found


def _lived(scene: Scene, name: str) -> Life:
    """One agent until it is killed, or has said all."""
    life = Life(scene.store, name, ROUNDS, ("0.004", str(MEMORY), str(NOISE)))
    life.until(scene.dice.choice([1, 50, 150]))
    for _ in range(scene.dice.randint(0, 2)):
        scene.happen(scene.dice.choice(EVENTS))
    if scene.dice.random() < 0.7:
        life.kill()
    else:
        life.end()
    return life


def judged(store: Path, life: Life) -> Found:
    """Compare what it said with what is stored."""
    session = Conversation(life.name).session
    if not life.kept:
        return Found()
    notes = [note["text"] for note in ask(store, "status")[0]["notes"]]
    if session not in {row["id"] for row in ask(store, "sessions.list", limit=1000)}:
        is_stated = any(life.name in text for text in notes)
        return Found(behind=life.rounds, faults=[] if is_stated else [f"{life.name}: nothing is there of it, and nothing says so"])
    rows = ask(store, "sessions.show", session=session)[0]
    if not rows.get("ended") and any(life.name in text for text in notes):
        return Found(behind=life.rounds)  # it found no room on disk for a word; that it is dead is said, and its session stays open
    uris = [call["requestURI"] for call in ask(store, "calls.list", session=session, limit=10_000)]
    return compared(life, rows, uris)


def compared(life: Life, rows: dict[str, Any], uris: list[str]) -> Found:
    """`rows`: the session with its losses; `uris`: of the calls that are stored."""
    found, known = Found(), set(uris)
    if len(uris) != len(known):
        found.faults.append(f"{life.name}: {len(uris) - len(known)} calls are there twice")
    if not rows.get("ended"):
        found.faults.append(f"{life.name}: its session does not end")
    holes, died = list(stated(rows["losses"])), any(DIED in text for text in rows["missing"])
    asked = requests(life)
    last = max((number for number, (uri, _, _) in enumerate(asked) if uri in known), default=-1)
    for number, (uri, begin, end) in enumerate(asked):
        if uri in known:
            found.recorded += 1
        elif any(first < end and begin < behind for first, behind in holes):
            found.in_gap += 1
        elif number > last and died:
            found.behind += 1
        else:
            found.faults.append(f"{life.name}: {uri} is not there, and nothing says so")
    if found.in_gap and rows["complete"]:
        found.faults.append(f"{life.name}: said to be complete")
    return found


def stated(losses: list[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """Stretches of what was sent that are missing, each to where reading went on."""
    out = [loss for loss in losses if loss["direction"] == Direction.OUT.name.lower()]
    resumed = sorted(loss["position"] for loss in out if loss["cause"].startswith("read on"))
    for loss in out:
        if not loss["cause"].startswith("read on"):
            end = loss["position"] + loss["size"]
            yield loss["position"], next((float(position) for position in resumed if position >= end), float("inf"))


def requests(life: Life) -> list[tuple[str, int, int]]:
    """Each get's URI, and from where to where its request lies in what was sent. What went out behind a request belongs to it."""
    records = long_connection(life.rounds, Conversation(life.name), int(life.options[2]) if len(life.options) > 2 else 0)
    chunks = [record for record in records if isinstance(record, Chunk) and record.direction is Direction.OUT]
    heads = [chunk for chunk in chunks if is_request(chunk)][1:]  # the first is the watch
    ends = [chunk.position for chunk in heads[1:]] + [chunks[-1].position + len(chunks[-1].data)]
    return [(f"{PODS}/pod-{number}", chunk.position, end) for number, (chunk, end) in enumerate(zip(heads, ends, strict=True))]


def is_request(chunk: Chunk) -> bool:
    """Whether it has a HEADERS frame (RFC 9113 §6.2); the preface (24 bytes) comes before the first frames."""
    data = chunk.data[24:] if chunk.data.startswith(b"PRI ") else chunk.data
    while len(data) >= 9:
        if data[3] == 1:
            return True
        data = data[9 + int.from_bytes(data[:3], "big") :]
    return False


def main() -> int:
    """Rounds, one line each; 1 at the first fault."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + options.rounds):
        found = soak_round(seed)
        faults = [fault for one in found for fault in one.faults]
        recorded, in_gap, behind = (sum(getattr(one, name) for one in found) for name in ("recorded", "in_gap", "behind"))
        said = f"{recorded} calls recorded, {in_gap} in stated gaps, {behind} behind deaths"
        print(f"round {seed}: {said} {faults[:4] or ''}", flush=True)
        if faults:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
