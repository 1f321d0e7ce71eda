"""Decoding speed beside a proxy's: our readers, our decoder, our whole core, mitmproxy's layers, mitmdump, a memcpy, in one run.

Usage: python bench/decode.py [--peer VENV] [--rounds N] [NAME …]     names: gets list gzip watch exec

Each row is one workload. "wire" is readers and exchanges, what mitmproxy's bare layers do too; "decode" is wire and kube:
calls, their objects parsed, except the items of a large list; "core" is all that and mask, which parses and looks at every
item, ready to be stored. mitmdump does TLS besides, as a gateway must, and parses no object. Ratios are its CPU seconds over
ours; greater than 1 means that ours is faster. Every number is the best of the rounds, since other work disturbs. "peak" is
how much a fresh process grows, the conversation not counted.
"""

import argparse
import gc
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peer_dump
import traffic

from chaperone.collector.kube.call import Call
from chaperone.collector.kube.calls import Calls
from chaperone.collector.mask.masker import Masker
from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.exchange import Exchanges
from chaperone.proto.records import Direction

HERE = Path(__file__).parent
Conversation = traffic.Conversation


def wire(conversation: Conversation) -> int:
    """Readers and exchanges; returns the number of reports."""
    reader, exchanges, positions, reports = StreamReader(), Exchanges(), [0, 0], 0
    for direction, data in conversation:
        events = reader.feed(Direction(direction), positions[direction], data, 0)
        positions[direction] += len(data)
        reports += len(exchanges.add(events))
    return reports


def calls(conversation: Conversation) -> Iterator[Call]:
    """Readers, exchanges and calls."""
    reader, exchanges, found, positions = StreamReader(), Exchanges(), Calls(frozenset({traffic.HOST})), [0, 0]
    for direction, data in conversation:
        events = reader.feed(Direction(direction), positions[direction], data, 0)
        positions[direction] += len(data)
        for exchange in exchanges.add(events):
            call = found.take(exchange)
            if isinstance(call, Call):
                yield call


def decode(conversation: Conversation) -> int:
    """All but masking; returns the number of reports."""
    return sum(1 for _ in calls(conversation))


def core(conversation: Conversation) -> int:
    """All of the pure core; returns the number of masked reports."""
    masker = Masker(b"k" * 32)
    return sum(masker.call(call).phase > 0 for call in calls(conversation))


def memcpy(conversation: Conversation) -> int:
    return sum(len(bytearray(data)) for _, data in conversation)


def cpu(work: Callable[[Conversation], int], conversation: Conversation) -> float:
    gc.collect()
    began = time.process_time()
    work(conversation)
    return time.process_time() - began


@contextmanager
def pickled(conversation: Conversation) -> Iterator[Path]:
    """The conversation in a file, for another process."""
    with tempfile.NamedTemporaryFile() as file:
        pickle.dump(conversation, file)
        file.flush()
        yield Path(file.name)


def peak_growth(work: str, file: Path) -> int:
    """Bytes by which a fresh process grows while it decodes; the conversation itself is not counted."""
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import decode; decode.print_growth({str(file)!r}, decode.{work})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def print_growth(file: str, work: Callable[[Conversation], int]) -> None:
    with Path(file).open("rb") as opened:
        conversation = pickle.load(opened)
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak is counted from here
    before = memory("VmRSS")
    work(conversation)
    print(memory("VmHWM") - before)


def memory(name: str) -> int:
    """Bytes, from /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def layers(python: Path, file: Path) -> float:
    """CPU seconds of mitmproxy's layers in a process of their own."""
    done = subprocess.run([python, HERE / "peer_layers.py", file], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0])


def row(name: str, peer: Path | None, rounds: int) -> list[str]:
    workload = traffic.WORKLOADS[name]()
    conversation, megabytes = workload.conversation, workload.size / 1e6
    ours = {work: min(cpu(work, conversation) for _ in range(rounds)) for work in (wire, decode, core, memcpy)}
    cells = [workload.name, *(f"{megabytes / ours[work]:.0f}" for work in (wire, decode, core))]
    cells += [f"{workload.calls / ours[decode]:.0f}", f"{ours[wire] / ours[memcpy]:.1f}"]
    with pickled(conversation) as file:
        if peer:
            bare = min(layers(peer / "bin/python", file) for _ in range(rounds))
            dump = min(dumps(peer, workload.answers) for _ in range(rounds))
            cells.append(f"{bare / ours[wire]:.1f}")
            cells += [f"{dump / ours[work]:.1f}" if dump < float("inf") else "-" for work in (wire, decode, core)]
        return [*cells, *(f"{peak_growth(work, file) / traffic.MIB:.1f}" for work in ("wire", "decode", "core"))]


def dumps(peer: Path, answers: peer_dump.Answers) -> float:
    """CPU seconds of mitmdump; infinite for what is no GET."""
    return peer_dump.measure(peer / "bin/mitmdump", answers) if answers else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, help="a venv with mitmproxy 11.0.2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("names", nargs="*", default=list(traffic.WORKLOADS))
    options = parser.parse_args()
    head = ["workload", "wire MB/s", "decode MB/s", "core MB/s", "calls/s", "wire/memcpy"]
    head += ["layers/wire", "dump/wire", "dump/decode", "dump/core"] if options.peer else []
    head += ["wire peak MiB", "decode peak MiB", "core peak MiB"]
    print_table([head, *(row(name, options.peer, options.rounds) for name in options.names)])


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]))


if __name__ == "__main__":
    main()
