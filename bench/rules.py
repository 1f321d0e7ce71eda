"""Judging speed: calls a second with many rules, and stored calls judged again.

Usage: python bench/rules.py [--rules N] [--calls N] [--stored N]

"judge": calls with pod specs, secrets and Status answers, each at its three moments, by the default pack repeated under other
names to N rules, and by one rule alone; the best of three rounds. "back-test": N stored calls in sessions of 2,000, through a
collector and `rules test`'s own code: what the past costs, its documents read from the store and sent. For more calls it is taken
as proportional, since one session is held at a time; that is said, not measured.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.judged_events import CALL, body

from chaperone.collector.cli.connect import is_answering
from chaperone.collector.cli.past import recorded
from chaperone.collector.cli.rules import judged
from chaperone.collector.ingest.policies import DEFAULT, read_policies
from chaperone.collector.rules.document import Rule
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.event import Event, call_events
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.ruleset import arranged, ruleset
from chaperone.collector.store.committer import Pace
from chaperone.collector.store.directory import hold
from chaperone.collector.store.opened import opened
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.verdicts import Sitting, judgement, sitting_row
from chaperone.collector.times import rfc3339

START, SECOND = 1_767_323_045_000_000_000, 1_000_000_000
SESSION_CALLS = 2_000
OPENS_S = 600.0
POD = {
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "c", "image": "nginx:1"}] * 3},
}
STATUS = {"kind": "Status", "code": 403, "message": "pods is forbidden"}
KINDS: list[dict[str, Any]] = [
    {"verb": "list", "resource": "pods", "name": "", "responseBody": body({"kind": "PodList", "items": [POD] * 20})},
    {"verb": "get", "resource": "secrets", "responseBody": body({"kind": "Secret", "data": {"k": "~masked-15-2074841910eca587~"}})},
    {"verb": "create", "resource": "deployments", "apiGroup": "apps", "requestBody": body({"spec": {"template": POD}}), "code": 201},
    {"verb": "get", "resource": "nodes", "code": 403, "responseBody": body(STATUS)},
    {"verb": "patch", "resource": "configmaps", "requestBody": body({"data": {"colour": "blue"}})},
]


def many(count: int) -> list[Rule]:
    """The default pack under other names until there are `count`."""
    pack = arranged(read_policies([DEFAULT])).all
    return [replace(pack[n % len(pack)], name=f"{pack[n % len(pack)].name}-{n}") for n in range(count)]


def call(number: int, session: str) -> dict[str, Any]:
    at = START + number * SECOND // 100
    times = {"time": rfc3339(at), "requested": rfc3339(at), "answered": rfc3339(at + 1000), "ended": rfc3339(at + 2000)}
    kind = KINDS[number % len(KINDS)]
    return {**CALL, **kind, **times, "id": f"{number:032x}", "session": session, "complete": True, "bytes": {"out": 1, "in": 1}}


def events(count: int) -> list[Event]:
    session = {"id": "5" * 32, "workload": "w"}
    return [event for number in range(count) for event in call_events(call(number, "5" * 32), session)]


def calls_a_second(rules: list[Rule], happened: list[Event], count: int) -> float:
    asked, best = ruleset(rules), 0.0
    for _ in range(3):
        memory, begun = Memory(), time.perf_counter()
        for event in happened:
            _, memory = evaluate(asked.likely(event), memory, event)
        best = max(best, count / (time.perf_counter() - begun))
    return best


def stored(count: int) -> Iterator[Row]:
    """Sessions as a collector that judges leaves them."""
    for first in range(0, count, SESSION_CALLS):
        session, begun = f"{first + 1:032x}", START + first * SECOND // 100
        document = {"id": session, "workload": f"w{first}", "time": rfc3339(begun), "apiservers": []}
        yield Row(Kind.SESSION, session, session, 1, 0, begun, document)
        for number in range(first, min(first + SESSION_CALLS, count)):
            found = call(number, session)
            yield Row(Kind.CALL, session, found["id"], 4, number, START + number * SECOND // 100, found, found["stream"], "p")
            sat = tuple(judgement(event, START + number * SECOND // 100) for event in call_events(found, document))
            yield sitting_row(Sitting(session, document["workload"], "bench", sat))
        yield Row(Kind.SESSION, session, session, 4, SESSION_CALLS, begun, {"ended": rfc3339(begun), "status": 0})


async def fill(directory: Path, count: int) -> None:
    with hold(directory) as held:
        async with opened(held, Pace()) as store:
            rows: list[Row] = []
            for row in stored(count):
                rows.append(row)
                if len(rows) >= 20_000:
                    await store.commit(rows)
                    rows = []
            await store.commit(rows)
            await store.finish()


@contextmanager
def serving(store: Path) -> Iterator[None]:
    """A collector that had all the time it needed to open the store."""
    begun = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "chaperone.collector", "--store", str(store)], stderr=subprocess.DEVNULL) as process:
        while not is_answering(store):
            assert process.poll() is None and time.perf_counter() - begun < OPENS_S, "no collector"
            time.sleep(0.1)
        print(f"collector ready    {time.perf_counter() - begun:10.1f} s after its start")
        try:
            yield
        finally:
            process.terminate()


def back_test(store: Path, rules: list[Rule]) -> tuple[int, float]:
    """Judge all sessions again: verdicts and seconds."""
    with serving(store):
        return judged_again(store, rules)


def judged_again(store: Path, rules: list[Rule]) -> tuple[int, float]:
    from chaperone.collector.cli.ask import ask  # noqa: PLC0415 - starts a collector where none answers

    begun, verdicts = time.perf_counter(), 0
    for row in list(ask(store, "sessions.list", limit=100_000)):
        verdicts += len(judged(rules, recorded(store, row["id"]).events()))
    return verdicts, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--stored", type=int, default=20_000)
    given = parser.parse_args()
    happened, rules = events(given.calls), many(given.rules)
    nothing = [replace(rules[0], when=rules[0].when)]
    print(f"judge, {given.rules} rules   {calls_a_second(rules, happened, given.calls):10,.0f} calls/s")
    print(f"judge, 1 rule      {calls_a_second(nothing, happened, given.calls):10,.0f} calls/s")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        subprocess.run([sys.executable, __file__, "--fill", str(store), str(given.stored)], check=True)
        verdicts, took = back_test(store, rules)
    rate, memory = given.stored / took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"back-test          {rate:10,.0f} stored calls/s: {given.stored:,} in {took:.1f} s, {verdicts:,} verdicts, peak {memory:.0f} MiB"
    )
    if given.stored < 1_000_000:
        print(f"                   10^6 stored calls would take {1e6 / rate / 60:.1f} min at that rate (not measured)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        asyncio.run(fill(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        main()
