"""Decoding speed beside a proxy's: our readers, our whole core, mitmproxy's layers, mitmdump, a memcpy, in one run.

Usage: python bench/decode.py [--peer VENV] [NAME …]     names: gets list gzip watch exec

Each row is one workload. "wire" is readers and exchanges, what mitmproxy's bare layers do too; "core" is wire, kube and
mask: parsed, masked, ready to be stored. mitmdump does TLS besides, as a gateway must. Ratios are CPU seconds over
"wire" or "core" of the same row; greater than 1 means that ours is faster.
"""

import argparse
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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


def core(conversation: Conversation) -> int:
    """All of the pure core; returns the number of masked reports."""
    reader, exchanges, calls, masker = StreamReader(), Exchanges(), Calls(frozenset({traffic.HOST})), Masker(b"k" * 32)
    positions, reports = [0, 0], 0
    for direction, data in conversation:
        events = reader.feed(Direction(direction), positions[direction], data, 0)
        positions[direction] += len(data)
        for exchange in exchanges.add(events):
            call = calls.take(exchange)
            if isinstance(call, Call):
                masker.call(call)
                reports += 1
    return reports


def memcpy(conversation: Conversation) -> int:
    return sum(len(bytearray(data)) for _, data in conversation)


def cpu(work: Callable[[Conversation], int], conversation: Conversation) -> float:
    began = time.process_time()
    work(conversation)
    return time.process_time() - began


def peak_growth(name: str, work: str) -> int:
    """Bytes by which a fresh process grows while it decodes: RSS, the conversation itself not counted."""
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import decode; decode.print_growth({name!r}, decode.{work})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def print_growth(name: str, work: Callable[[Conversation], int]) -> None:
    conversation = traffic.WORKLOADS[name]().conversation
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(conversation)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def layers(python: Path, conversation: Conversation) -> float:
    """CPU seconds of mitmproxy's layers in a process of their own."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(pickle.dumps(conversation))
        file.flush()
        done = subprocess.run([python, HERE / "peer_layers.py", file.name], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0])


def row(name: str, peer: Path | None) -> list[str]:
    workload = traffic.WORKLOADS[name]()
    conversation = workload.conversation
    ours_wire, ours_core = cpu(wire, conversation), cpu(core, conversation)
    copy = cpu(memcpy, conversation)
    megabytes = workload.size / 1e6
    cells = [workload.name, f"{megabytes / ours_wire:.0f}", f"{megabytes / ours_core:.0f}", f"{workload.calls / ours_core:.0f}"]
    cells.append(f"{ours_wire / copy:.1f}")
    if peer:
        bare = layers(peer / "bin/python", conversation)
        cells.append(f"{bare / ours_wire:.1f}")
        dump = peer_dump.measure(peer / "bin/mitmdump", workload.answers) if workload.answers else None
        cells += [f"{dump / ours_wire:.1f}", f"{dump / ours_core:.1f}"] if dump else ["-", "-"]
    return [*cells, f"{peak_growth(name, 'wire') / traffic.MIB:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, help="a venv with mitmproxy 11.0.2")
    parser.add_argument("names", nargs="*", default=list(traffic.WORKLOADS))
    options = parser.parse_args()
    head = ["workload", "wire MB/s", "core MB/s", "core calls/s", "wire/memcpy"]
    head += ["layers/wire", "mitmdump/wire", "mitmdump/core"] if options.peer else []
    print_table([[*head, "wire peak MiB"], *(row(name, options.peer) for name in options.names)])


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]))


if __name__ == "__main__":
    main()
