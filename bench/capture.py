"""What recording costs a program, in one run: writing and reading TLS with OpenSSL and with Go, and connecting.

Usage: python bench/capture.py [ROUNDS]        (root; needs bcc)

Of each program one process runs in a governed cgroup and one outside; they take turns. Per size:

    no probe       before anything is attached
    empty probes   the same entries and returns, programs that return at once
    capture        what the agent does, polled by it meanwhile
    unmonitored    a process outside every governed cgroup while capture runs

Times are the program's CPU time, system time included; ratios are to "no probe" of the same size, best of the rounds,
since other work disturbs. Every call must have come out of the ring, and none been lost. Here nobody does more with what comes
out of it: what the whole agent costs, and what it loses at given rates, is what bench/node.py measures.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from pairs import CONNECTING, Measured, programs, start
from support.kernel import cgroup, governed
from support.tls_server import make_certificate

from chaperone.agent.probe.apart import Parser
from chaperone.agent.probe.points import GO, OPENSSL
from chaperone.agent.trace.files import ProbedFiles
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import Attached, TlsBytes, TlsLost

SIZES = {100: 10_000, 16_384: 2_000}  # bytes → pairs in a round
CONNECTS = 2_000
EMPTY = "".join(f"int {name}(void *ctx) {{ return 0; }}\n" for name in sorted({n for pair in (OPENSSL | GO).values() for n in pair if n}))


@dataclass
class Count:
    """What the agent's side saw of one program."""

    tracer: Tracer
    calls: int = 0
    lost: int = 0
    parts: Counter[int] = field(default_factory=Counter)  # calls by size

    def capture(self, program: Measured, size: int, pairs: int) -> float:
        """One round."""
        calls = self.calls
        found = program.measure(size, pairs, self.poll)
        for _ in range(3):
            self.poll()
        self.parts[size] += self.calls - calls
        return found

    def poll(self) -> None:
        """As the agent does."""
        for value in self.tracer.poll(2):
            self.calls += isinstance(value, TlsBytes)
            self.lost += isinstance(value, TlsLost)


@contextmanager
def empty_probes(library: str) -> Iterator[None]:
    """The agent's probes with nothing in them."""
    kernel, parser = Kernel(EMPTY, {}), Parser()
    try:
        assert isinstance(ProbedFiles(kernel, parser).attach(library), Attached)
        yield
    finally:
        parser.close()
        kernel.close()


def with_tls(program: Measured) -> str:
    """The file that its TLS is in: the libssl it has mapped, or itself."""
    maps = Path(f"/proc/{program.process.pid}/maps").read_text().splitlines()
    return next((line.split()[-1] for line in maps if "/libssl" in line), f"/proc/{program.process.pid}/exe")


def compared(tracer: Tracer, governed_one: Measured, other: Measured, rounds: int) -> tuple[dict[str, dict[int, float]], Count]:
    """Each variant, each size: nanoseconds a pair."""
    library, found, count = with_tls(other), dict[str, dict[int, float]](), Count(tracer)

    def alone(program: Measured) -> dict[int, float]:
        return {size: min(program.measure(size, pairs) for _ in range(rounds)) for size, pairs in SIZES.items()}

    found["no probe"] = alone(governed_one)
    with empty_probes(library):
        found["empty probes"] = alone(governed_one)
    assert isinstance(tracer.attach(library), Attached)
    found["capture"] = {size: min(count.capture(governed_one, size, pairs) for _ in range(rounds)) for size, pairs in SIZES.items()}
    found["unmonitored"] = alone(other)
    return found, count


def report(name: str, found: dict[str, dict[int, float]], count: Count, rounds: int) -> None:
    for size, pairs in SIZES.items():
        print(f"{name}, {size} bytes, best of {rounds} rounds of {pairs}")
        for variant, times in found.items():
            bare = found["no probe"][size]
            print(f"  {variant:14} {times[size] / 1000:8.2f} us  x{times[size] / bare:.2f}  {(times[size] - bare) / 1000:+.2f} us")
        print(f"  captured {count.parts[size]} of {2 * pairs * rounds} calls; lost {count.lost}")


def connecting(rounds: int) -> None:
    """What the gate costs who connects, governed and not."""
    with ExitStack() as stack:
        groups = [stack.enter_context(cgroup()) for _ in range(2)]
        inside, outside = (start([sys.executable, "-c", CONNECTING], group) for group in groups)
        bare = [min(one.measure(0, CONNECTS) for _ in range(rounds)) for one in (inside, outside)]
        tracer = stack.enter_context(Tracer())
        gate = tracer.open_gate()
        stack.callback(gate.close)
        number = tracer.govern(groups[0])
        gate.watch(number, groups[0])
        gated = [min(one.measure(0, CONNECTS, lambda: tracer.poll(2)) for _ in range(rounds)) for one in (inside, outside)]
        for name, before, after in zip(("governed", "unconcerned"), bare, gated, strict=True):
            print(
                f"connect and close, {name}: {before / 1000:.1f} us without an agent, {after / 1000:.1f} us with one, x{after / before:.2f}"
            )
        for one in (inside, outside):
            one.end()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with TemporaryDirectory() as directory:
        for name, command in programs(Path(directory), *make_certificate(Path(directory))).items():
            with Tracer() as tracer, governed(tracer) as workload, cgroup() as elsewhere:
                inside, outside = (start(command, path) for path in (workload.path, elsewhere))
                for one in (inside, outside):
                    one.measure(100, 10)
                report(name, *compared(tracer, inside, outside, rounds), rounds)
                print(f"kernel {tracer.lost}")
                for one in (inside, outside):
                    one.end()
    connecting(rounds)


if __name__ == "__main__":
    main()
