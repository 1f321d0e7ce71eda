"""What the agent costs its node: the real process, with its helpers and its spool, and a collector that confirms all, beside ten programs.

Usage: python bench/node.py [SECONDS]        (root; needs bcc; two minutes)

    start    until it records, its BPF programs compiled anew
    idle     ten programs are governed, each in a cgroup of its own, and say nothing
    paced    each makes 100 calls a second, 1,000 in all; a call is a write and a read of 1 KiB
    away     the same, and no collector is there: all goes to the spool
    back     it comes and takes what waited
    burst    one writes and reads 200 MB, a second's worth or as fast as it can; the others go on with 10 calls a second. Once with
             `--record best_effort`, where one of several workloads loses what goes beyond its share of the ring, and with `strict`,
             where it waits; then also programs in Go, which say the same byte again and again
    full     800 MB are said, no collector is there and the disk takes next to nothing: all the memory that `--memory` allows

Processor time is the agent's and that of all processes that it started, user and system: taking what was said out of the ring,
putting it in order, compressing, sealing, writing to disk, delivering. Memory is what they have for themselves (RssAnon), the
highest seen, and, where the machine counts it, what the kernel holds for them (rings, maps, probes): both count against a
container's limit. What is said are hexadecimal digits at random, which compress to half; what one end writes and the other reads
is recorded twice, and counts twice. Lost is what the agent says so of; every other byte must have reached the collector.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import zstandard
from pairs import Measured, programs, start
from support.collector_double import CollectorDouble
from support.kernel import cgroup, entering
from support.tls_server import libssl, make_certificate

from chaperone.proto.records import Chunk, Loss, unpack

PROGRAMS, RATE, SIZE = 10, 100, 1024
BURST_SIZE, BURST_CALLS, BESIDE_RATE = 16_384, 6_100, 10
DELIVERED_S, LOOK_S = 120, 0.05
TICK = os.sysconf("SC_CLK_TCK")
UNCOMPILED = ["unshare", "-m", "sh", "-c", 'mkdir -p "$0" && mount -t tmpfs none "$0" && exec "$@"', "/var/cache/chaperone"]


class Sink(CollectorDouble):
    """A collector that confirms everything; `count` what came since the last time."""

    counted = size = lost = 0

    def __init__(self, socket: Path) -> None:
        super().__init__(socket)
        self.causes = Counter[str]()

    def count(self) -> None:
        while batch := self.batches.pop(self.counted + 1, None):
            self.counted += 1
            for record in unpack(zstandard.ZstdDecompressor().decompress(batch.records)):
                self.size += len(record.data) if isinstance(record, Chunk) else 0
                if isinstance(record, Loss):
                    self.lost += record.size
                    self.causes[record.cause] += record.size

    def _confirmed(self) -> int:
        return max(self.batches, default=self.counted)


@dataclass
class Agent:
    """The process, in a cgroup of its own. `own`, `kernels`: the most memory since `fresh`, MiB; the second 0 where nobody counts it."""

    process: "subprocess.Popen[bytes]"
    group: Path
    own: float = 0.0
    kernels: float = 0.0

    def processes(self) -> list[int]:
        """It and all that it started."""
        found = [self.process.pid]
        for pid in found:
            found += [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in _text(path).split()]
        return found

    def used_s(self) -> float:
        """Processor time so far, also of children that have ended: proc_pid_stat(5), utime to cstime."""
        stats = (_text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[11:15] for pid in self.processes())
        return sum(sum(map(int, stat)) for stat in stats) / TICK

    def fresh(self) -> None:
        self.own = self.kernels = 0.0

    def look(self) -> None:
        lines = [line.split() for pid in self.processes() for line in _text(Path(f"/proc/{pid}/status")).splitlines()]
        self.own = max(self.own, sum(int(line[1]) for line in lines if line[:1] == ["RssAnon:"]) / 1024)
        self.kernels = max(self.kernels, _of_kernel(self.group) / (1 << 20))


def _text(path: Path) -> str:
    """What a file says; "" where its process is gone, or there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _of_kernel(group: Path) -> int:
    """Bytes: of cgroup v2 `kernel` in memory.stat, of v1 a file of its own."""
    lines = (line.split() for line in _text(group / "memory.stat").splitlines())
    return next((int(value) for name, value in lines if name == "kernel"), int(_text(group / "memory.kmem.usage_in_bytes") or 0))


@contextmanager
def counted_group() -> Iterator[Path]:
    """Where memory is counted, if anywhere."""
    v1 = Path("/sys/fs/cgroup/memory")
    with cgroup(*([v1] if (v1 / "cgroup.procs").exists() else [])) as group:
        yield group


@contextmanager
def agent(groups: list[Path], folder: Path, options: Sequence[str]) -> Iterator[Agent]:
    """One that begins to record; ended with SIGTERM."""
    ready, told = os.pipe()
    places = [*(f"--cgroup={group}" for group in groups), f"--socket={folder / 'collector.sock'}", f"--spool={folder / 'spool'}"]
    command = [sys.executable, "-m", "chaperone.agent", *places, f"--attach={libssl()}", f"--ready-fd={told}", *options]
    with counted_group() as own, os.fdopen(ready) as line:
        process = subprocess.Popen([*entering(own), *UNCOMPILED, *command], pass_fds=(told,), stdout=subprocess.DEVNULL)
        os.close(told)
        try:
            found = Agent(process, own)
            with looked_at(found):
                assert '"session' in line.readline(), "the agent says why not"
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@contextmanager
def looked_at(one: Agent) -> Iterator[None]:
    """Its memory, again and again."""
    over = Event()

    def looking() -> None:
        while not over.wait(LOOK_S):
            one.look()

    thread = Thread(target=looking)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@dataclass
class Scene:
    """All that takes part."""

    agent: Agent
    sink: Sink
    talkers: list[Measured]

    def measure(self, name: str, do: Callable[[], int], is_delivered: bool = True) -> float:
        """Do something that says so many bytes, wait until they were delivered if that is to be, and say what it took of a processor."""
        self.agent.fresh()
        used_s, began, size, lost = self.agent.used_s(), time.monotonic(), self.sink.size, self.sink.lost
        with looked_at(self.agent):
            said = do()
            did_s = time.monotonic() - began
            deadline = time.monotonic() + DELIVERED_S
            while is_delivered and self.sink.size + self.sink.lost < size + lost + said and time.monotonic() < deadline:
                time.sleep(0.2)
                self.sink.count()
        used_s, took_s = self.agent.used_s() - used_s, time.monotonic() - began
        got, lost = self.sink.size - size, self.sink.lost - lost
        memory = f"{self.agent.own:.0f} MiB of its own, {self.agent.kernels:.0f} MiB of the kernel's"
        print(f"{name}: {used_s:.2f} s of a processor in {took_s:.1f} s; {memory}")
        if said and is_delivered:
            causes = ", ".join(f" {size:,} for {cause}" for cause, size in self.sink.causes.items())
            self.sink.causes.clear()
            rest = f"lost {lost:,} bytes{causes}, silently lost {said - got - lost:,}"
            print(f"  {said / 1e6:,.1f} MB were said in {did_s:.1f} s: recorded {got / 1e6:,.1f} MB, {rest}")
            print(f"  {used_s * 1e9 / said:.1f} ms of a processor per MB")
            if said != got + lost:
                raise SystemExit(f"{name}: bytes are neither recorded nor said to be lost")
        return used_s

    def talk(self, size: int, calls: int, rate: int, talkers: list[Measured]) -> int:
        """Each makes so many calls, all at once; what that comes to in bytes."""
        threads = [Thread(target=partial(one.measure, size, calls, None, rate)) for one in talkers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return 2 * size * calls * len(talkers)


def gradually(scene: Scene, seconds: int) -> None:
    """All but the burst."""
    paced = partial(scene.talk, SIZE, RATE * seconds, RATE, scene.talkers)
    scene.measure("idle", lambda: time.sleep(seconds) or 0)
    used_s = scene.measure("paced", paced)
    print(f"  {used_s * 1e6 / (RATE * seconds * PROGRAMS):.0f} ms of a processor per 1,000 calls")
    scene.sink.stop()
    scene.measure("away", paced, is_delivered=False)
    scene.sink.start()
    scene.measure("back", lambda: 2 * SIZE * RATE * seconds * PROGRAMS)


def burst(scene: Scene) -> int:
    """One, beside the others."""
    beside = Thread(target=scene.talk, args=(SIZE, BESIDE_RATE, BESIDE_RATE, scene.talkers[1:]))
    beside.start()
    said = scene.talk(BURST_SIZE, BURST_CALLS, BURST_CALLS, scene.talkers[:1])
    beside.join()
    return said + 2 * SIZE * BESIDE_RATE * (PROGRAMS - 1)


@contextmanager
def opened(*options: str, program: int = 0) -> Iterator[Scene]:
    """An agent that records ten programs that are connected, and a collector that has all that they said."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        sink = Sink(folder / "collector.sock")
        sink.start()
        stack.callback(sink.stop)
        groups = [stack.enter_context(cgroup()) for _ in range(PROGRAMS)]
        one = stack.enter_context(agent(groups, folder, options))
        name, command = list(programs(folder, *make_certificate(folder)).items())[program]
        print(f"agent {' '.join(options)}, {name}")
        print(f"start: {one.used_s():.2f} s of a processor; {one.own:.0f} MiB of its own, {one.kernels:.0f} MiB of the kernel's")
        talkers = [start(command, group) for group in groups]
        scene = Scene(one, sink, talkers)
        scene.measure("first calls", lambda: scene.talk(SIZE, 10, 0, talkers))
        yield scene
        for talker in talkers:
            talker.end()


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with opened("--record=best_effort") as scene:
        gradually(scene, seconds)
        scene.measure("burst", lambda: burst(scene))
        scene.measure("idle again", lambda: time.sleep(seconds) or 0)
    for program in range(2):
        with opened("--record=strict", program=program) as scene:
            scene.measure("burst", lambda scene=scene: burst(scene))
    with opened("--spool-limit=1") as scene:
        scene.sink.stop()
        scene.measure(
            "full", lambda: scene.talk(BURST_SIZE, 8 * BURST_CALLS // PROGRAMS // 2, BURST_CALLS // 80, scene.talkers), is_delivered=False
        )


if __name__ == "__main__":
    main()
