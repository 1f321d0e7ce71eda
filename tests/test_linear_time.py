"""Four times as much takes less than nine times as long, through wire, kube and mask: a square would take sixteen."""

import gc
import gzip
import json
import time
from collections.abc import Callable, Iterator

import pytest
from support.exchanges import Pieces, answer, watched
from support.whole_core import masked, read
from support.wire_streams import placed

from chaperone.proto.records import Direction

EVENT = b'{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}}}\n'


def seconds(pieces: Pieces) -> float:
    fed = placed((direction, data, 1) for direction, data in pieces)
    began = time.process_time()
    masked(read(fed))
    return time.process_time() - began


def small_gets(count: int) -> Pieces:
    return answer(b'{"kind":"Pod"}') * count


def single_bytes(count: int) -> Pieces:
    ask, *rest = answer(json.dumps({"items": ["x" * 50] * count}).encode())
    return [ask, *((Direction.IN, bytes([byte])) for _, data in rest for byte in data)]


def torn_events(count: int) -> Pieces:
    ask, head, _ = watched(b"-")
    return [ask, (Direction.IN, head[1].replace(b"Content-Length: 1\r\n", b"")), *cut(EVENT * count, 1000)]


def one_event_in_parts(count: int) -> Pieces:
    *head, _ = watched(b"-")
    return [*head, *[(Direction.IN, b" " * 1000)] * count]


def cut(data: bytes, size: int) -> Pieces:
    return [(Direction.IN, data[at : at + size]) for at in range(0, len(data), size)]


def gzip_members(count: int) -> Pieces:
    return answer(gzip.compress(b" ") * count, coding="gzip")


def protobuf_fields(count: int) -> Pieces:
    return answer(b"k8s\0\x0a\x0a\x0a\x02v1\x12\x04List" + b"\x12\x02\x08\x01" * count, "application/vnd.kubernetes.protobuf")


def json_keys(count: int) -> Pieces:
    return answer(json.dumps({f"key-{number}": {"password": f"p-{number}"} for number in range(count)}).encode())


@pytest.fixture(autouse=True)
def others_objects_are_not_collected() -> Iterator[None]:
    """A full collection walks whatever earlier tests left in this process, and only the larger run is long enough for one."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (small_gets, 400),
        (single_bytes, 400),
        (torn_events, 1500),
        (one_event_in_parts, 3000),
        (gzip_members, 6000),
        (protobuf_fields, 20_000),
        (json_keys, 2000),
    ],
)
def test_time_is_linear(make: Callable[[int], Pieces], count: int) -> None:
    small = min(seconds(make(count)) for _ in range(3))
    large = min(seconds(make(4 * count)) for _ in range(2))
    assert large < 9 * small + 0.05, f"{small:.3f} s, then {large:.3f} s"
