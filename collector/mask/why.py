"""What was masked in one file and why: places and the names of what saw them, never values.

It masks as `Bodies` does and then asks, of every place that changed, the same questions in the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson
import yaml

from chaperone.collector.kube.body import form_of, read_body
from chaperone.collector.kube.call import Body, Form
from chaperone.collector.mask.argv import argv_spans
from chaperone.collector.mask.binary import view
from chaperone.collector.mask.body import SECRET_KINDS, Bodies
from chaperone.collector.mask.fields import Fields
from chaperone.collector.mask.fingerprint import Fingerprint, is_masked
from chaperone.collector.mask.masking import Masking
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.tree import is_secret_name

SECRET = "secret"  # a Secret's data and what is like it: not switchable
WHOLE = "whole"  # a body that can't be understood
ARGUMENTS = ("args", "command", "argv", "cmd", "entrypoint", "Args", "Cmd", "Entrypoint")


@dataclass(frozen=True, slots=True)
class Reason:
    """One place that was masked: a path of keys, or a line and column; and by what."""

    place: str
    by: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A file masked, and why."""

    masked: bytes
    reasons: tuple[Reason, ...]


class Trial:
    """Masks files under one key, each as if it were the only one."""

    def __init__(self, key: bytes, masking: Masking) -> None:
        self._fingerprint, self._masking = Fingerprint(key), masking

    def of(self, data: bytes, media_type: str) -> Tried:
        """A file's contents as a body of this type."""
        self._texts = Texts(self._fingerprint, self._masking)
        form = form_of(media_type)[0]
        body = Body(form, media_type, len(data), len(data), True, data)
        body = body if form is Form.BINARY else read_body(body)
        masked = bytes(Bodies(self._texts, self._fingerprint, self._masking).mask(body, False).data)
        return Tried(masked, tuple(dict.fromkeys(self._reasons(body, masked))))

    def _reasons(self, body: Body, masked: bytes) -> Iterator[Reason]:
        if masked == body.data:
            return
        if is_masked(masked.strip(b'"')):
            yield Reason("all of it", WHOLE)
        elif body.object is None:
            yield from _in_text(self._texts, bytes(body.data))
        else:
            before = view(body) if body.form is Form.PROTOBUF else body.object
            yield from self._in_object(before, _read(masked), body.kind)

    def _in_object(self, before: Any, masked: Any, kind: str) -> Iterator[Reason]:
        for field in self._masking.fields:
            after = Fields([field], self._fingerprint, self._texts.learn).mask(before, kind)
            yield from (Reason(place, f"field {field.name}") for place in _changed(before, after))
            before = after
        yield from _Differences(self._texts).between(before, masked, (), kind in SECRET_KINDS)


class _Differences:
    """Of an object and its masked form."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def between(self, before: Any, masked: Any, path: tuple[Any, ...], secret: bool) -> Iterator[Reason]:
        """All places where they differ."""
        if before == masked and type(before) is type(masked):
            return
        if type(before) is dict and type(masked) is dict:
            yield from self._mappings(before, masked, path, secret)
        elif type(before) is list and type(masked) is list:
            for index, (one, other) in enumerate(zip_longest(before, masked)):
                yield from self._argument(before, index, path) if self._is_argument(before, path) else ()
                yield from () if self._is_argument(before, path) else self.between(one, other, (*path, index), secret)
        else:
            yield from self._leaf(before, masked, path, secret)

    def _mappings(self, before: dict[Any, Any], masked: dict[Any, Any], path: tuple[Any, ...], secret: bool) -> Iterator[Reason]:
        secret = secret or before.get("kind") in SECRET_KINDS
        named = any(type(name := before.get(key)) is str and is_secret_name(name) for key in ("name", "key", "Name", "Key"))
        for (key, one), (new_key, other) in zip(before.items(), masked.items(), strict=False):
            if key != new_key:
                yield from self._leaf(key, new_key, (*path, "a key"), secret)
            by_name = key == "value" and named and "names" not in self._texts.off
            if by_name and one != other:
                yield Reason(_shown((*path, key)), "names")
            else:
                yield from self.between(one, other, (*path, key), secret)

    def _is_argument(self, items: list[Any], path: tuple[Any, ...]) -> bool:
        return bool(path) and path[-1] in ARGUMENTS and all(type(item) is str for item in items)

    def _argument(self, items: list[Any], index: int, path: tuple[Any, ...]) -> Iterator[Reason]:
        argv = [item.encode("utf-8", "surrogatepass") for item in items]
        if argv_spans(self._texts, argv)[index]:
            names = [name for name, _ in self._texts.named(argv[index])]
            yield Reason(_shown((*path, index)), ", ".join(dict.fromkeys(names)) or "arguments")

    def _leaf(self, before: Any, masked: Any, path: tuple[Any, ...], secret: bool) -> Iterator[Reason]:
        inner = _object_in(before), _object_in(masked)
        if type(inner[0]) in (dict, list) and type(inner[0]) is type(inner[1]):
            yield from self.between(*inner, (*path, "(JSON)"), secret)
            return
        yield Reason(_shown(path), self._by(before, path, secret))

    def _by(self, before: Any, path: tuple[Any, ...], secret: bool) -> str:
        if secret and {"data", "stringData", "binaryData", "token", "message", "details"}.intersection(path):
            return SECRET
        if any(type(key) is str and is_secret_name(key) for key in path[-2:]) and "names" not in self._texts.off:
            return "names"
        text = str(before).encode("utf-8", "surrogatepass")
        names = [name for name, _ in self._texts.named(text)]
        names += ["known"] if self._texts.known.spans(text) else []
        return ", ".join(dict.fromkeys(names)) or WHOLE


def _in_text(texts: Texts, text: bytes) -> Iterator[Reason]:
    for start, name in sorted({(span[0], name) for name, span in texts.named(text)}):
        line, column = text.count(b"\n", 0, start) + 1, start - text.rfind(b"\n", 0, start)
        yield Reason(f"line {line}, column {column}", name)


def _changed(before: Any, after: Any, path: tuple[Any, ...] = ()) -> Iterator[str]:
    if before is after:
        return
    pairs: list[tuple[Any, Any, Any]] = []
    if type(before) is dict and type(after) is dict:
        pairs = [(key, before[key], after[key]) for key in before]
    elif type(before) is list and type(after) is list:
        pairs = [(index, *pair) for index, pair in enumerate(zip(before, after, strict=False))]
    else:
        yield _shown(path)
    for key, one, other in pairs:
        yield from _changed(one, other, (*path, key))


def _shown(path: tuple[Any, ...]) -> str:
    return "".join(f"[{key}]" if type(key) is int else f".{key}" for key in path).lstrip(".") or "all of it"


def _read(masked: bytes) -> Any:
    try:
        return orjson.loads(masked)
    except orjson.JSONDecodeError:
        return yaml.safe_load(masked)


def _object_in(text: Any) -> Any:
    try:
        return orjson.loads(text) if type(text) is str and text.lstrip()[:1] in ("{", "[") else None
    except orjson.JSONDecodeError:
        return None
