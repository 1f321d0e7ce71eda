"""Secrets sent on in many ways, and traffic in which there are none."""

import base64
import gzip
import json
import random
import string
import uuid
from collections.abc import Callable, Iterable
from urllib.parse import quote

from support.recordings import names, recording

from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.taint import Flow
from chaperone.collector.mask.text import Texts

FILLER = b'{"kind": "Pod", "metadata": {"name": "web-5d8f"}, "note": "the quick brown fox jumps over it"}\n'
KINDS: list[Callable[[random.Random], bytes]] = [
    lambda dice: "".join(dice.choices(string.ascii_letters + string.digits, k=dice.randint(10, 40))).encode(),
    lambda dice: "".join(dice.choices(string.ascii_letters + string.digits + "!#$%&*+-/<=>?@^_~\"'\\", k=dice.randint(10, 40))).encode(),
    lambda dice: dice.randbytes(32).hex().encode(),
    lambda dice: base64.b64encode(dice.randbytes(dice.randint(16, 48))),
    lambda dice: str(uuid.UUID(bytes=dice.randbytes(16))).encode(),
    lambda dice: base64.urlsafe_b64encode(dice.randbytes(180)).rstrip(b"="),
    lambda dice: dice.randbytes(dice.randint(16, 64)),
]
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda data: data,
    "base64": base64.b64encode,
    "base64 +1": lambda data: base64.b64encode(b"x" + data + b"y"),
    "base64 +2": lambda data: base64.b64encode(b"xx" + data + b"yy"),
    "base64 url": base64.urlsafe_b64encode,
    "base64 lines": base64.encodebytes,
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "url": lambda data: quote(data, safe="").encode(),
    "json": lambda data: json.dumps(data.decode()).encode() if _is_text(data) else data,
    "gzip": lambda data: gzip.compress(FILLER * 9 + data + FILLER),
    "gzip of base64": lambda data: gzip.compress(FILLER + base64.b64encode(data)),
}
SPLITS: dict[str, Callable[[bytes, int], list[bytes]]] = {
    "whole": lambda data, _: [data],
    "halves": lambda data, _: [data[: len(data) // 2], data[len(data) // 2 :]],
    "any 3": lambda data, seed: _cut(data, seed),
    "of 16": lambda data, _: [data[at : at + 16] for at in range(0, len(data), 16)],
    "bytes": lambda data, _: [data[at : at + 1] for at in range(len(data))],
}


def secrets(count: int) -> list[bytes]:
    """Of each kind, the same each time."""
    dice = random.Random(7)
    return [KINDS[number % len(KINDS)](dice) for number in range(count)]


COMMON = (
    b"postgres admin default kube-system https://kubernetes.default.svc 10.96.0.1 application/json agent password1 nginx:latest".split()
)


def knowing(values: Iterable[bytes]) -> Texts:
    """These, and what Secrets hold besides."""
    texts = Texts(Fingerprint(b"k" * 32))
    for value in COMMON:
        texts.learn(value, "ns/common:key")
    for number, value in enumerate(values):
        texts.learn(value, f"ns/s{number}:key")
    return texts


def missed(texts: Texts, values: list[bytes], encoding: str, split: str) -> list[bytes]:
    """Those that are not seen when each is sent in this way."""
    return [value for seed, value in enumerate(values) if f"ns/s{seed}:key" not in seen(texts, value, encoding, split, seed)]


def seen(texts: Texts, value: bytes, encoding: str, split: str, seed: int = 0) -> set[str]:
    """The names of what is found when this value is sent."""
    flow, found = Flow(texts), set[bytes]()
    for part in SPLITS[split](FILLER + ENCODINGS[encoding](value) + FILLER, seed):
        found |= flow.feed(part)
    return {texts.known.origin(one).secret for one in found}


def clean(texts: Texts, more: Iterable[bytes] = ()) -> tuple[int, int]:
    """False hits, and how many bytes were looked at: all recordings, and more."""
    hits = size = 0
    flow = Flow(texts)
    for data in (*(chunk for name in names() for _, chunk, _ in recording(name).chunks), *more):
        hits += len(flow.feed(data))
        size += len(data)
    return hits, size


def _cut(data: bytes, seed: int) -> list[bytes]:
    dice = random.Random(seed)
    ends = sorted(dice.sample(range(len(data) + 1), 2))
    return [data[: ends[0]], data[ends[0] : ends[1]], data[ends[1] :]]


def _is_text(data: bytes) -> bool:
    try:
        return bool(data.decode())
    except UnicodeDecodeError:
        return False
