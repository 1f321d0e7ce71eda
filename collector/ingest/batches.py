"""A Batch message → records. A frame that is not what it says is refused as a whole, before it costs memory.

A record with a field out of bounds becomes an Unknown with the reason: it is noted, and the rest goes on. Bytes that go
missing with it are a gap of positions, which the readers state.
"""

from collections.abc import Callable
from dataclasses import fields
from types import NoneType
from typing import Any, get_args

import zstandard

from chaperone.proto.capture_pb2 import Batch
from chaperone.proto.ids import SessionId
from chaperone.proto.records import KINDS, Record, Unknown, unpack

TEXT_LIMIT = 1 << 20  # characters of one text; a command line may be 2 MiB, a single argument 128 KiB
_NUMBERS = {cls: number for number, cls in KINDS.items()}
_HIGHEST = 2**62  # nanoseconds, positions and sizes: far from what 64 bits hold, so that sums fit too
_SIGNED = {"status", "uid", "gained"}
_WIDE = {"cookie", "handle"}


def records_in(batch: Batch, limit: int) -> list[Record]:
    """The records of a batch of at most `limit` bytes. ValueError with the reason."""
    if batch.size > limit:
        raise ValueError(f"a batch of {batch.size} bytes, at most {limit} are taken")
    return [_checked(record) for record in unpack(_inflated(batch))]


def _inflated(batch: Batch) -> bytes:
    """The frame's bytes. Only a frame that states its size is opened: that size is allocated at once, whatever limit is given."""
    try:
        stated = zstandard.frame_content_size(batch.records)
        if stated != batch.size:
            raise ValueError(f"a frame of {stated} bytes that says it has {batch.size}")
        return zstandard.ZstdDecompressor().decompress(batch.records, allow_extra_data=False)
    except zstandard.ZstdError:
        raise ValueError(f"no zstd frame of {batch.size} bytes") from None


def _checked(record: Record) -> Record:
    if isinstance(record, Unknown):
        return record
    wrong = next((name for name, fits in _CHECKS[type(record)] if not fits(getattr(record, name))), None)
    if wrong is None:
        return record
    session = getattr(record, "session", "")
    known = SessionId(session if _is_text(session) else "")
    return Unknown(_NUMBERS[type(record)], f"{type(record).__name__}.{wrong} is out of bounds", known)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_LIMIT


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < _HIGHEST


def _is_wide(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**64


def _is_signed(value: Any) -> bool:
    return isinstance(value, int) and -(2**31) <= value < 2**32


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_text, value))


def _is_labels(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and _is_texts((*value.keys(), *value.values())))


def _fits(name: str, kind: str) -> Callable[[Any], bool]:
    """How a field of this name and annotation is checked."""
    if kind == "int":
        return _is_signed if name in _SIGNED else _is_wide if name in _WIDE else _is_count
    return _BY_KIND[kind]


_BY_KIND: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "bytes": lambda value: isinstance(value, bytes),
    "bool": lambda value: isinstance(value, bool),
    "texts": _is_texts,
    "labels": _is_labels,
    "id or nothing": lambda value: value is None or _is_text(value),
    "direction": lambda value: value in (0, 1),
}
_NAMED = {
    "argv": "texts",
    "apiservers": "texts",
    "policies": "texts",
    "labels": "labels",
    "direction": "direction",
    "data": "bytes",
    "digest": "bytes",
}


def _kind(name: str, annotation: Any) -> str:
    if name in _NAMED:
        return _NAMED[name]
    if NoneType in get_args(annotation):
        return "id or nothing"
    return {int: "int", bool: "bool"}.get(annotation, "str")


_CHECKS: dict[type, list[tuple[str, Callable[[Any], bool]]]] = {
    cls: [(field.name, _fits(field.name, _kind(field.name, field.type))) for field in fields(cls)] for cls in KINDS.values()
}
