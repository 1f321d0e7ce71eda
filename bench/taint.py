"""Secrets that leave: how many are seen, how many are seen that did not leave, and at what speed.

Usage: python bench/taint.py [SECRETS]     1000 by default

Each secret is sent once for each way to write it and each way to cut it into writes, in the middle of other text, on a flow of
its own, while all of them are known. Clean traffic is what the recordings in tests/captures say, and made traffic of every kind.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import traffic
from support.leaving import ENCODINGS, SPLITS, clean, knowing, missed, secrets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("secrets", nargs="?", type=int, default=1000)
    known = secrets(parser.parse_args().secrets)
    texts = knowing(known)
    print(f"{len(known)} secrets, {len(texts.known)} values known")
    sent = lost = 0
    for encoding in ENCODINGS:
        of_this = {split: missed(texts, known, encoding, split) for split in SPLITS}
        sent += len(known) * len(SPLITS)
        lost += sum(map(len, of_this.values()))
        print(f"  {encoding:16}", " ".join(f"{split} {len(known) - len(gone)}/{len(known)}" for split, gone in of_this.items()))
    print(f"recall {1 - lost / sent:.5f} ({sent - lost} of {sent})")
    made = [bytes(data) for make in traffic.WORKLOADS.values() for _, data in make().conversation]
    began = time.process_time()
    hits, size = clean(texts, made)
    print(f"clean traffic: {hits} false hits in {size / 1e6:.0f} MB, {size / 1e6 / (time.process_time() - began):.0f} MB/s")


if __name__ == "__main__":
    main()
