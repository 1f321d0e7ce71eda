"""`make soak`, for verdicts: a program under `chaperone run --policy` asks for what is denied and for what is not, in every shape. Root.

    python -m soak.denials [--count 100000] [--threads 4] [--seed N]

At Go's net/http and at node's HTTP/2: no handler may have run for what was denied, and no byte of a body may be there; what was allowed
must have arrived equal. The same run where rules only observe must reach the handlers with everything. Ends with 1 otherwise.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.collectors import leave
from support.counting import NODE, POLICY, handled, serving
from support.go_peer import STRIPPED, built

CHAPERONE = Path(sys.executable).with_name("chaperone")
PORTION = 10_000  # requests of one run
REST_S = 120


def soak(command: Sequence[str | Path], enforce: str, count: int, given: argparse.Namespace) -> list[str]:
    """What is wrong after one run."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "policy.yaml").write_text(POLICY.format(enforce=enforce))
        with serving([*command], place / "server") as ports:
            began = time.monotonic()
            found = _asked(place, ports["port"], enforce, count, given)
            seen = [one for one in handled(ports) if one[1] != "/healthz"]
        leave(place / "store")
    took_s = time.monotonic() - began
    told = f"{enforce}: {len(found['sent']):,} allowed, {found['denied']:,} denied, {len(seen):,} handled, {took_s:.0f} s"
    print(f"{Path(command[0]).name} {told}", flush=True)
    wrong = list(found["wrong"])
    return wrong + (["what was handled is not what was allowed"] if sorted(seen) != sorted(found["sent"]) else [])


def _asked(place: Path, port: int, enforce: str, count: int, given: argparse.Namespace) -> dict[str, Any]:
    options = ["--count", str(count), "--seed", str(given.seed), "--threads", str(given.threads)]
    options += [] if enforce == "enforce" else ["--observed"]
    program = [sys.executable, "-m", "support.denials", f"127.0.0.1:{port}", str(place / "server/ca.crt"), *options]
    argv = [CHAPERONE, "run", "--store", place / "store", "--policy", place / "policy.yaml", "--", *program]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=REST_S + count)
    print(done.stderr.splitlines()[-1] if done.stderr else "", flush=True)
    if done.returncode:
        return {"sent": [], "denied": 0, "wrong": [f"status {done.returncode}: {done.stderr[-1000:]}"]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        servers: list[list[str | Path]] = [[built("counting_server", Path(name), STRIPPED)], NODE]
        runs = [(server, enforce) for server in servers for enforce in ("enforce", "observe")]
        wrong = []
        for server, enforce in runs:
            left = given.count // len(runs)
            while left > 0:
                wrong += soak(server, enforce, min(left, PORTION), given)
                given.seed, left = given.seed + 1, left - PORTION
    print("\n".join(wrong[:20]) if wrong else "denied was never handled, allowed arrived equal")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
