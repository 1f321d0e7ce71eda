"""A protobuf message as the JSON form would show it: names where the schema has them, numbers elsewhere.

`view(message)` gives dicts, lists, strings, numbers and booleans. Byte values are base64 as in JSON; a nested envelope
(a watch event's object) is its object with `apiVersion` and `kind`; FieldsV1 is the JSON it holds. An unknown field is
keyed by its number ("12"), always a list, its bytes shown as text, else as a message, else as base64: a guess, so whoever
masks must treat values under a number as free text.
"""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from chaperone.collector.kube.protobuf import Field, Message, Wire, envelope, unwrap

DEPTH_LIMIT = 100  # gogo's own decoders stop at 10 000, protobuf's at 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def view(message: Message, depth: int = 0) -> dict[str, Any]:
    """The message as JSON values."""
    shown: dict[str, Any] = {}
    for field in message.fields:
        _show(shown, field, depth)
    return shown


def object_view(api_version: str, kind: str, message: Message, depth: int = 0) -> dict[str, Any]:
    """An enveloped object, with its type as JSON has it."""
    return {"kind": kind, "apiVersion": api_version, **view(message, depth)}


def _show(shown: dict[str, Any], field: Field, depth: int) -> None:
    slot = field.slot
    if slot is None:
        shown.setdefault(str(field.number), []).append(_guess(field, depth))
    elif slot.type in ("map", "bytesmap"):
        entry = field.message
        shown.setdefault(slot.name, {})[entry.text(1)] = _entry(entry, slot.type)
    elif slot.repeated:
        shown.setdefault(slot.name, []).append(_value(field, depth))
    else:
        shown[slot.name] = _value(field, depth)


def _entry(entry: Message, kind: str) -> str:
    value = entry.get(2)
    if value is None:
        return ""
    return value.text if kind == "map" else base64.b64encode(value.bytes).decode()


def _value(field: Field, depth: int) -> Any:
    kind = field.slot.type if field.slot else ""
    if isinstance(field.value, int):
        return bool(field.value) if kind == "bool" else _signed(field)
    if kind == "string":
        return field.text
    if special := _SPECIAL.get(kind):
        return special(field, depth)
    return view(field.message, depth + 1) if depth < DEPTH_LIMIT else _base64(field, depth)


def _signed(field: Field) -> int:
    value = field.value if isinstance(field.value, int) else 0
    return value - (1 << 64) if field.wire == Wire.VARINT and value >> 63 else value


def _base64(field: Field, depth: int) -> str:
    return base64.b64encode(field.bytes).decode()


def _time(field: Field, depth: int) -> str:
    """Time and MicroTime {seconds=1, nanos=2} as RFC 3339."""
    parts = [field.message.get(number) for number in (1, 2)]
    seconds, nanos = (_signed(part) if part else 0 for part in parts)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return f"{seconds}s"
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{nanos // 1000:06d}" if nanos else "") + "Z"


def _quantity(field: Field, depth: int) -> str:
    return field.message.text(1)


def _int_or_string(field: Field, depth: int) -> int | str:
    """IntOrString {type=1, intVal=2, strVal=3}; type 1 is a string."""
    message = Message(field.message.data)
    kind, number = message.get(1), message.get(2)
    if kind is not None and kind.value == 1:
        return message.text(3)
    return _signed(number) if number else 0


def _json(field: Field, depth: int) -> Any:
    raw = Message(field.message.data).get(1)
    try:
        return orjson.loads(raw.value) if raw and not isinstance(raw.value, int) else None
    except orjson.JSONDecodeError:
        return _base64(field, depth)


def _raw(field: Field, depth: int) -> Any:
    """A RawExtension: raw=1 holds an envelope."""
    raw = Message(field.message.data).get(1)
    inner = envelope(raw.value) if raw and not isinstance(raw.value, int) else None
    if inner is None or depth >= DEPTH_LIMIT:
        return _base64(field, depth)
    return object_view(*unwrap(inner), depth + 1)


_SPECIAL = {
    "bytes": _base64,
    "Time": _time,
    "Quantity": _quantity,
    "IntOrString": _int_or_string,
    "Json": _json,
    "Raw": _raw,
}


def _guess(field: Field, depth: int) -> Any:
    if isinstance(field.value, int):
        return _signed(field)
    try:
        text = str(field.value, "utf-8")
    except UnicodeDecodeError:
        text = "\x00"
    if text.isprintable():
        return text
    inner = field.message
    if depth < DEPTH_LIMIT and inner.fields and not inner.broken:
        return view(inner, depth + 1)
    return text if all(char.isprintable() or char in "\t\n\r" for char in text) else _base64(field, depth)
