"""What a verdict costs a request: p50 and p99 of small requests on one connection, in one run.

Usage: python bench/verdicts.py [--requests N] [--rounds R] [--pause MS] [--peer VENV]        (root; needs bcc and Go)

The client is Python's http.client (OpenSSL, HTTP/1.1), the server Go's net/http. Variants take turns, round by round:

    bare           nothing in between
    captured       `chaperone run`
    held           `chaperone run --policy` of one rule that acts and is about something else; no default rules
    held, rules    the same with 50 such rules and the default pack
    mitmproxy      its reverse mode, without an addon (VENV has mitmproxy; without --peer it is left out)

Figures are of all rounds together; other work on the machine disturbs all of them.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.counting import serving
from support.go_peer import STRIPPED, built

from chaperone.collector.store.directory import holder

CHAPERONE = Path(sys.executable).with_name("chaperone")
WARM = 20
CLIENT = """
import http.client, json, ssl, sys, time
port, count, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
context = ssl._create_unverified_context()
connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
times = []
for number in range(count):
    began = time.perf_counter_ns()
    connection.request("GET", f"/api/v1/namespaces/default/configmaps/c{number}", headers={"Authorization": "Bearer x"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    answer.read()
    times.append(time.perf_counter_ns() - began)
    time.sleep(pause)
print(json.dumps(times))
"""
HEAD = "apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: bench}\nverdictTimeout: 20s\nrules:\n"
RULE = '- {{name: rule-{n}, when: call.resource == "configmaps" && call.name == "never-{n}", do: deny, enforce: enforce, message: no}}\n'
Command = Callable[[int], list[str]]  # of a port
Variant = Callable[[Command], list[int]]


def client(count: int, pause_ms: float, port: int) -> list[str]:
    return [sys.executable, "-c", CLIENT, str(port), str(count + WARM), str(pause_ms / 1000)]


def times(command: Sequence[str | Path], **environment: str) -> list[int]:
    """Of each request but the first, in ns."""
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found[WARM:]


def run(place: Path, name: str, command: list[str], rules: int) -> list[int]:
    """Under `chaperone run`, with so many rules that act."""
    policy = place / f"{name}.yaml"
    policy.write_text(HEAD + "".join(RULE.format(n=n) for n in range(rules)))
    store = place / f"store-{name}"
    options = ["--policy", policy] if rules else []
    plain = {"CHAPERONE_NO_DEFAULT_POLICY": "1"} if rules <= 1 else {}
    try:
        return times([CHAPERONE, "run", "--store", store, *options, "--", *command], **plain)
    finally:
        if pid := holder(store):
            os.kill(pid, signal.SIGTERM)


@contextmanager
def mitmproxy(peer: Path, place: Path, port: int) -> Iterator[int]:
    """Its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    command = [peer / "bin/mitmdump", "-q", "--mode", f"reverse:https://127.0.0.1:{port}", "--listen-port", str(own), "--ssl-insecure"]
    with subprocess.Popen([*command, "--set", f"confdir={place / 'mitmproxy'}"]) as process:
        try:
            _until_open(own)
            yield own
        finally:
            process.kill()


def _until_open(port: int) -> None:
    for _ in range(600):
        with socket.socket() as tried:
            if not tried.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    raise SystemExit("mitmproxy does not listen")


def report(found: dict[str, list[int]]) -> None:
    bare = found["bare"]
    for name, each in found.items():
        p50, p99 = (statistics.quantiles(each, n=100)[at] / 1e6 for at in (49, 98))
        over = p50 - statistics.quantiles(bare, n=100)[49] / 1e6
        print(f"  {name:12} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  p50 over bare {over:+.2f} ms  ({len(each)} requests)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.0, metavar="MS", help="between an answer and the next request")
    parser.add_argument("--peer", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serving([built("counting_server", Path(name), STRIPPED)], Path(name) / "server") as ports:
        place, port = Path(name), ports["port"]
        variants: dict[str, Variant] = {
            "bare": lambda command: times(command(port)),
            "captured": lambda command: run(place, "captured", command(port), 0),
            "held": lambda command: run(place, "held", command(port), 1),
            "held, rules": lambda command: run(place, "rules", command(port), 50),
        }
        command = partial(client, given.requests, given.pause)
        found: dict[str, list[int]] = {variant: [] for variant in variants}
        for _ in range(given.rounds):
            for variant, measured in variants.items():
                found[variant] += measured(command)
            if given.peer:
                with mitmproxy(given.peer, place, port) as own:
                    found.setdefault("mitmproxy", []).extend(times(command(own)))
    pause = f", {given.pause:g} ms apart" if given.pause else ""
    print(f"small requests on one connection{pause}, {given.rounds} rounds of {given.requests}")
    report(found)


if __name__ == "__main__":
    main()
