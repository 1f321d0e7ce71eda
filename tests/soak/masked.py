"""`make soak`, for masking inline: programs under `chaperone run --policy` read Secrets in every form; none may read what is secret. Root.

    python -m soak.masked [--count 10000] [--threads 4] [--seed N]

Ends with 1 if a secret was read, or if anything was not answered as without.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.apiserver import ApiServer, running
from support.governed_run import governed, storing

RULES = '- {name: stars, when: call.resource == "secrets", do: mask, enforce: enforce}\n'
PORTION, REST_S = 2_500, 240  # reads of one run; what it may take besides, at a read a second


def soak(count: int, threads: int, seed: int, rules: str = RULES) -> dict[str, Any]:
    """What one run read."""
    with tempfile.TemporaryDirectory() as name, storing(Path(name)) as place, running(place / "apiserver") as server:
        command, path = _command(server, count, threads, seed), str(Path(__file__).parents[1])
        done = governed(place, server, rules, *command, wait_s=REST_S + count, PYTHONPATH=path)
        print(done.stderr.splitlines()[-1] if done.stderr else "", flush=True)
        if done.returncode:
            return {"reads": 0, "stars": 0, "leaks": [], "wrong": [f"status {done.returncode}: {done.stderr[-1000:]}"]}
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def _command(server: ApiServer, count: int, threads: int, seed: int) -> list[str]:
    told = [server.url, server.ca, server.token, count, threads, seed]
    return [sys.executable, "-m", "support.secret_reads", *map(str, told)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    left, wrong, began = given.count, [], time.monotonic()
    while left > 0:
        found = soak(min(left, PORTION), given.threads, given.seed)
        print(
            f"{found['reads']:,} read, {found['stars']:,} with stars, {len(found['leaks'])} leaks, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        wrong += [*(f"leaked: {form}" for form in found["leaks"]), *found["wrong"]]
        given.seed, left = given.seed + 1, left - PORTION
    print("\n".join(wrong[:20]) if wrong else "no secret was read")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
