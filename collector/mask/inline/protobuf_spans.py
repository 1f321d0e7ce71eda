"""Secret bytes of a protobuf body (k8s.io/api core/v1 generated.proto, apimachinery runtime.Unknown)."""

from collections.abc import Iterator, Mapping

from chaperone.collector.mask.inline.json_spans import APPLIED
from chaperone.collector.wire.compose.spans import Fill, Span

MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
TYPE, RAW = 1, 2  # of Unknown
KIND = 2  # of TypeMeta
ITEMS = 2  # of a List
META, ANNOTATIONS = 1, 12  # of an object, of its ObjectMeta
KEY, VALUE = 1, 2  # of a map's entry
OBJECT = 2  # of a WatchEvent: a RawExtension, whose `raw` is 1
PLAIN = frozenset(("Status",))
FIELDS: Mapping[str, tuple[int, ...]] = {"Secret": (2, 4), "ConfigMap": (2, 3)}  # maps whose values are secret
Place = tuple[int, int]


def body_spans(data: bytes) -> list[Span]:
    """Of an object or a list. ValueError for what is not known."""
    return list(_envelope(data, (0, len(data))))


def event_spans(data: bytes) -> list[Span]:
    """Of an event of a watch."""
    found = []
    for number, extension in _fields(data, (0, len(data))):
        if number == OBJECT:
            for inner, raw in _fields(data, extension):
                found += list(_envelope(data, raw)) if inner == 1 else []
    return found


def _envelope(data: bytes, place: Place) -> Iterator[Span]:
    if data[place[0] : place[0] + len(MAGIC)] != MAGIC:
        raise ValueError("it is no protobuf of an apiserver")
    parts = dict(_fields(data, (place[0] + len(MAGIC), place[1])))
    type_meta = dict(_fields(data, parts[TYPE])) if TYPE in parts else {}
    kind = data[slice(*type_meta.get(KIND, (0, 0)))].decode(errors="replace")
    if RAW in parts:
        yield from _object(data, parts[RAW], kind)


def _object(data: bytes, place: Place, kind: str) -> Iterator[Span]:
    if kind in PLAIN:
        return
    if kind.removesuffix("List") not in FIELDS:
        raise ValueError(f"secrets of {kind[:40] or 'an unknown kind'} are not known")
    for number, inner in _fields(data, place):
        if kind.endswith("List"):
            yield from _object(data, inner, kind.removesuffix("List")) if number == ITEMS else ()
        elif number == META:
            yield from _applied(data, inner)
        elif number in FIELDS[kind]:
            yield from _values(data, inner)


def _applied(data: bytes, place: Place) -> Iterator[Span]:
    for number, entry in _fields(data, place):
        if number == ANNOTATIONS and data[slice(*dict(_fields(data, entry)).get(KEY, (0, 0)))] == APPLIED.encode():
            yield from _values(data, entry)


def _values(data: bytes, entry: Place) -> Iterator[Span]:
    for number, (begin, end) in _fields(data, entry):
        if number == VALUE and begin < end:
            yield Span(begin, end, Fill.STARS)


def _fields(data: bytes, place: Place) -> Iterator[tuple[int, Place]]:
    """Number and content of each field that has bytes; the others have no secrets."""
    at, end = place
    while at < end:
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == VARINT:
            _, at = _varint(data, at, end)
            continue
        size, at = _varint(data, at, end) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}.get(kind, end + 1), at)
        if at + size > end:
            raise ValueError("it is no whole protobuf")
        if kind == BYTES:
            yield tag >> 3, (at, at + size)
        at += size


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= end:
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("it is no whole protobuf")
