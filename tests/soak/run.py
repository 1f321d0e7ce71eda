"""`make soak`: thousands of short-lived clients, agent and collector killed at random, nothing lost in silence. Root.

    python run.py [--clients 10000] [--deaths 20] [--at-once 3] [--seed N]

Each client is a fresh file, asks one thing that nobody else asks, and is gone. Ends with 1 if one was silently lost, or recorded
twice, or if the agent's memory or descriptors grew beyond what is bounded; with `--deaths 0` also if any was not recorded.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from soak.account import Account, account
from soak.clients import Client, started
from soak.node import Node
from support.apiserver import running
from support.kernel import cgroup

BOUNDS = {"agent MiB": 150, "agent descriptors": 12_000}
LOOK_S, TELL_S = 1.0, 10.0


def soak(clients: int, deaths: int, at_once: int, seed: int) -> tuple[Account, Node, list[Client]]:
    """Run all; what became of them."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, cgroup() as group, running(Path(name) / "apiserver") as server:
        folder, node = Path(name) / "clients", Node(group, Path(name) / "store", dice)
        folder.mkdir()
        try:
            moments = sorted(dice.sample(range(1, clients), deaths))
            done = list(_run(clients, at_once, moments, node, lambda number: started(number, group, server, folder)))
            report = node.end()
            found = account(node, done)
        finally:
            node.close()
    if report["status"] or report["unconfirmed"]:
        found.faults.append(f"the agent ended with {report}")
    if not deaths and found.recorded < clients:
        found.faults.append(f"nothing died, and of {clients} clients {clients - found.recorded} were not recorded")
    found.faults += [f"{what}: {node.most[what]} of {bound}" for what, bound in BOUNDS.items() if node.most[what] > bound]
    return found, node, done


def _run(clients: int, at_once: int, moments: list[int], node: Node, start: Callable[[int], Client]) -> Iterator[Client]:
    """The clients as they end."""
    began, looked, told, active = time.monotonic(), 0.0, 0.0, list[Client]()
    for number in range(clients):
        active.append(start(number))
        if moments and number >= moments[0]:
            moments.pop(0)
            node.kill()
        while len(active) >= at_once or (number == clients - 1 and active):
            over = [client for client in active if client.is_over()]
            active = [client for client in active if client not in over]
            yield from over
            time.sleep(0.002)
        now = time.monotonic()
        if now - looked > LOOK_S:
            looked = now
            node.look()
        if now - told > TELL_S:
            told = now
            rate = (number + 1) / (now - began)
            print(f"{number + 1} of {clients} clients, {rate:.1f}/s; killed {len(node.deaths)}; {node.most}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("--clients", 10_000), ("--deaths", 20), ("--at-once", 3), ("--seed", random.randrange(10**6))):
        parser.add_argument(option, type=int, default=default)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    found, node, done = soak(options.clients, options.deaths, options.at_once, options.seed)
    print(f"{len(done)} clients: {dict(Counter(client.kind for client in done))}")
    print(f"killed: {dict(Counter(node.deaths))}; at most {node.most}")
    in_gap = f"in a stated gap {found.in_gap} (from at most {found.behind_s:.1f} s before a death on)"
    rest = f"stated as not looked into {found.unlooked}, silently lost {len(found.silent)}"
    print(f"recorded {found.recorded} ({found.recorded / len(done):.2%}), {in_gap}, {rest}")
    for sentence, times in Counter(found.said).items():
        print(f"said {times} times: {sentence}")
    for fault in [*(f"client {number} was silently lost" for number in found.silent), *found.faults]:
        print(f"fault: {fault}")
    return int(bool(found.silent or found.faults))


if __name__ == "__main__":
    sys.exit(main())
