"""Every property of the whole core on every recording, seed after seed, for a stated time. `make fuzz`.

Usage: python tests/fuzz.py [--seconds N] [--seed N] [--only WORD]

A failure prints how to have it again; the exit code is then 1. The properties are those of tests/support/core_properties.py.
"""

import argparse
import itertools
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support.core_properties import PROPERTIES, Property
from support.wire_streams import KEPT, SHARED, Chunk, chunks, recorded

LARGEST = 1 << 20  # bytes of one recording: larger ones take too long for what they show


@dataclass(frozen=True)
class Case:
    """One property on one recording with one seed."""

    test: Property
    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.test.__name__} on {self.name}, seed {self.seed}"


@dataclass
class Tally:
    """What was run, and what failed."""

    runs: Counter[str] = field(default_factory=Counter)
    failed: list[Case] = field(default_factory=list)


def streams() -> dict[str, list[Chunk]]:
    """Every recording that is not too large, by name."""
    paths = {path.name.removesuffix(".jsonl.gz"): path for folder in (SHARED, KEPT) for path in recorded(folder)}
    found = {name: chunks(path) for name, path in paths.items()}
    return {name: fed for name, fed in found.items() if 0 < sum(len(chunk.data) for chunk in fed) <= LARGEST}


def cases(names: list[str], only: str, seed: int) -> Iterator[Case]:
    """Each seed runs everything that `only` names (all of it by default) once, in random order."""
    every = [(test, name) for test in PROPERTIES for name in names if only in f"{test.__name__} {name}"]
    for number in itertools.count(seed):
        for test, name in random.Random(number).sample(every, len(every)):
            yield Case(test, name, number)


def run(case: Case, fed: list[Chunk], tally: Tally) -> None:
    """Count it; on a failure say what and where."""
    tally.runs[case.test.__name__] += 1
    try:
        case.test(fed, random.Random(f"{case.name} {case.seed}"))
    except Exception:  # noqa: BLE001 - whatever it is, it is a finding, and the others go on
        tally.failed.append(case)
        again = f"python tests/fuzz.py --seed {case.seed} --seconds 1 --only '{case.test.__name__} {case.name}'"
        print(f"FAILED {case}\n  again: {again}\n{traceback.format_exc(limit=-3)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000_000)
    parser.add_argument("--only", default="", help="part of 'PROPERTY RECORDING'")
    options = parser.parse_args()
    fed, tally, began = streams(), Tally(), time.monotonic()
    print(f"{len(PROPERTIES)} properties, {len(fed)} recordings, {options.seconds:.0f} s, first seed {options.seed}", flush=True)
    shown = began
    for case in cases(list(fed), options.only, options.seed):
        run(case, fed[case.name], tally)
        now = time.monotonic()
        if now - shown > 30:
            shown = now
            print(f"{now - began:5.0f} s  seed {case.seed}  {tally.runs.total()} runs, {len(tally.failed)} failed", flush=True)
        if now - began > options.seconds:
            break
    for name, count in sorted(tally.runs.items()):
        print(f"{count:7} {name}")
    print(f"{tally.runs.total() - len(tally.failed)} passed, {len(tally.failed)} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
