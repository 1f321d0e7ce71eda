"""Kubernetes' protobuf: the `k8s\\0` envelope, and messages parsed without generated code.

A `Message` knows its bytes and, where `schema` has one, its type. Fields are parsed at first use and sub-messages only
when asked for, so a list of a thousand objects costs a thousand slices. Bytes that are no protobuf give the fields
before the fault, and `broken` says why. `render.view` (kube/render.py) turns a message into what the JSON form shows.

    message.fields                  every field in order, also unknown ones: Field(number, wire, value)
    message.get(2)                  the last field 2 (proto2: the last wins), or None
    message.all(2)                  every field 2
    message.at(1, 3)                the sub-message at field 1, field 3; None where it is not
    message.text(1, 3)              the string at this path, "" where it is not
    message.entries(2)              a map field's (key, value field) pairs
    field.name                      "metadata", or "" where the schema does not know it
    field.message                   its bytes as a Message of the field's type

Sources: apimachinery pkg/runtime/serializer/protobuf/protobuf.go, pkg/runtime/generated.proto; protobuf.dev encoding.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from chaperone.collector.kube.schema import Slot, type_of
from chaperone.collector.wire.buffer import Malformed

MAGIC = b"k8s\x00"
VARINT_LIMIT = 10  # bytes: protobuf.dev encoding, "base 128 varints"
FIELD_LIMIT = (1 << 29) - 1


class Wire(IntEnum):
    """How a field's value is laid out."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


_WIRES = {int(wire): wire for wire in Wire}


class Field(NamedTuple):
    """One field as sent. `value`: an unsigned integer, or a view of its bytes. A tuple, since a watch makes millions."""

    number: int
    wire: Wire
    value: int | memoryview
    slot: Slot | None = None

    @property
    def name(self) -> str:
        """The field's JSON name, "" if not known."""
        return self.slot.name if self.slot else ""

    @property
    def bytes(self) -> bytes:
        """A length-delimited value; empty for numbers."""
        return b"" if isinstance(self.value, int) else bytes(self.value)

    @property
    def text(self) -> str:
        """A length-delimited value as text; invalid UTF-8 is replaced."""
        return "" if isinstance(self.value, int) else str(self.value, "utf-8", "replace")

    @property
    def message(self) -> "Message":
        """A length-delimited value as a message."""
        data = memoryview(b"") if isinstance(self.value, int) else self.value
        return Message(data, self.slot.type if self.slot else "")


class Message:
    """Some bytes read as a message. `type`: a kind or another name of `schema`, "" if not known."""

    __slots__ = ("_broken", "_fields", "data", "type")

    def __init__(self, data: bytes | memoryview, type: str = "") -> None:  # noqa: A002 - the word for it
        self.data = memoryview(data)
        self.type = type
        self._fields: tuple[Field, ...] | None = None
        self._broken = ""

    def __repr__(self) -> str:
        """Without contents: a traceback must not leak a body."""
        return f"Message({self.type or 'unknown'}, {len(self.data)} bytes)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.type == other.type and self.data == other.data

    __hash__ = None  # type: ignore[assignment]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every field in the order sent."""
        if self._fields is None:
            self._parse()
        return self._fields or ()

    @property
    def broken(self) -> str:
        """Why the bytes are no message, "" if they are."""
        if self._fields is None:
            self._parse()
        return self._broken

    def get(self, number: int) -> Field | None:
        """The last field of this number."""
        for field in reversed(self.fields):
            if field.number == number:
                return field
        return None

    def all(self, number: int) -> list[Field]:
        """Every field of this number, in order."""
        return [field for field in self.fields if field.number == number]

    def at(self, *path: int) -> "Message | None":
        """The sub-message at a path of field numbers."""
        here: Message | None = self
        for number in path:
            field = here.get(number) if here else None
            here = field.message if field and field.wire == Wire.BYTES else None
        return here

    def text(self, *path: int) -> str:
        """The string at a path of field numbers, "" where there is none."""
        parent = self.at(*path[:-1])
        field = parent.get(path[-1]) if parent else None
        return field.text if field else ""

    def entries(self, number: int) -> list[tuple[str, Field | None]]:
        """A map field as (key, value) pairs: entries are messages {key=1, value=2}."""
        return [(entry.text(1), entry.get(2)) for entry in (field.message for field in self.all(number))]

    def _parse(self) -> None:
        known = type_of(self.type)
        fields: list[Field] = []
        try:
            for number, wire, value in read_fields(self.data):
                fields.append(Field(number, _WIRES[wire], value, known.get(number)))
        except Malformed as error:
            self._broken = str(error)
        self._fields = tuple(fields)


def envelope(data: bytes | memoryview) -> Message | None:
    """The `runtime.Unknown` behind `k8s\\0`: typeMeta=1 {apiVersion=1, kind=2}, raw=2. None without the magic."""
    view = memoryview(data)
    return Message(view[len(MAGIC) :], "Unknown") if view[: len(MAGIC)] == MAGIC else None


def unwrap(unknown: Message) -> tuple[str, str, Message]:
    """An envelope as (apiVersion, kind, object)."""
    meta, raw = unknown.at(1), unknown.get(2)
    api_version, kind = (meta.text(1), meta.text(2)) if meta else ("", "")
    data = raw.value if raw and not isinstance(raw.value, int) else memoryview(b"")
    return api_version, kind, Message(data, kind or "Object")


def read_fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(number, wire type, value) of each field. Raises Malformed where the bytes are none."""
    position, size = 0, len(data)
    while position < size:
        key, position = (data[position], position + 1) if data[position] < 0x80 else _varint(data, position)
        wire, number = key & 7, key >> 3
        if not 0 < number <= FIELD_LIMIT:
            raise Malformed(f"field number {number} at byte {position}")
        if wire == 2:
            start = position + 1
            if start > size or data[position] > 0x7F or (position := start + data[position]) > size:
                start, position = _extent(data, start - 1)
            yield number, wire, data[start:position]
        else:
            value, position = _varint(data, position) if wire == 0 else _fixed(data, position, wire)
            yield number, wire, value


def _extent(data: memoryview, position: int) -> tuple[int, int]:
    """Start and end of a length-delimited value."""
    size = len(data)
    length, start = _varint(data, position)
    if start + length > size:
        raise Malformed(f"a field of {length} bytes where {size - start} are left")
    return start, start + length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(position, min(position + VARINT_LIMIT, len(data))):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place + 1
        shift += 7
    raise Malformed(f"a varint without end at byte {position}")


def _fixed(data: memoryview, position: int, wire: int) -> tuple[int, int]:
    """Wire types 1 and 5; groups (3, 4) and the rest are in no Kubernetes message."""
    width = {1: 8, 5: 4}.get(wire)
    if width is None:
        raise Malformed(f"wire type {wire} at byte {position}")
    if position + width > len(data):
        raise Malformed(f"{width} bytes wanted at byte {position}")
    return int.from_bytes(data[position : position + width], "little"), position + width
