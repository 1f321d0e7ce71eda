"""Secrets in parsed objects: JSON, YAML and CBOR as Python values. The same object comes back when there is nothing to replace.

First all strings are looked at at once, each distinct one once; then the tree is rebuilt where something is secret: by
place (a Secret's `data`), by name (an env var DB_PASSWORD), as a command line (`args`), as an object within a string
(last-applied-configuration), or by what the text looks like. Depth and number of nodes are limited (`Beyond`).
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Callable
from enum import Enum, auto
from itertools import chain
from typing import Any

import orjson

from chaperone.collector.mask.argv import argv_spans
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.patterns import INNOCUOUS, SECRET_NAME
from chaperone.collector.mask.release import Releases, View, opened
from chaperone.collector.mask.text import Texts

DEEPEST = 256  # levels; no form is parsed deeper
EMBEDDED = 4  # objects in strings in objects in strings …
MOST_NODES = 8_000_000
MOST_KEYS = 10_000  # whose meaning is kept

_NAME_KEYS = ("name", "key", "Name", "Key")
# A Status with one of these reasons quotes names and no input (apimachinery pkg/api/errors).
_REASONS = """
    NotFound Forbidden AlreadyExists Conflict Unauthorized Expired Gone TooManyRequests MethodNotAllowed NotAcceptable Timeout
    ServerTimeout ServiceUnavailable StoreReadError
"""
_QUOTES_NOTHING = frozenset(_REASONS.split())


class Beyond(Exception):  # noqa: N818 — a limit, not a mistake
    """An object deeper or larger than is looked at: its body is replaced as a whole."""


class Trees:
    """Masks objects under one key."""

    def __init__(self, texts: Texts, fingerprint: Fingerprint) -> None:
        self.texts = texts
        self.fingerprint = fingerprint
        self.releases = Releases(texts, fingerprint)
        self.places: dict[str, _Place] = {}

    def mask(self, root: Any, secret: bool, embedded: int = 0) -> Any:
        """The object without its secrets. `secret`: it belongs to the resource `secrets`, whatever it says itself.

        One that brought a secret may show it elsewhere too, so it is looked at once more.
        """
        before = self.texts.known.generation
        masked = self._masked(root, secret, embedded)
        return masked if self.texts.known.generation == before or embedded else self._masked(masked, secret, embedded)

    def _masked(self, root: Any, secret: bool, embedded: int) -> Any:
        many = None if secret else _list_of_many(root)
        if many is None:
            return self._rebuilt(root, secret, embedded)
        items = _rebuilt(root[many], lambda item: self._item(item, embedded))
        shell = {**root, many: None}
        rest = self._rebuilt(shell, secret, embedded)
        return root if items is root[many] and rest is shell else {**rest, many: items}

    def _item(self, item: Any, embedded: int) -> Any:
        """One of many: written out and glanced at, which is far cheaper than a walk."""
        return self._rebuilt(item, False, embedded) if self._may_hold_secrets(item) else item

    def _may_hold_secrets(self, item: Any) -> bool:
        try:
            return self.texts.may_hold_secrets(orjson.dumps(item, default=str))
        except orjson.JSONEncodeError:  # a lone surrogate, an integer beyond 64 bits: looked at closely
            return True

    def _rebuilt(self, root: Any, secret: bool, embedded: int) -> Any:
        return _Rebuilding(self, self.texts.hits(_strings(root)), embedded).value(root, secret)

    def place(self, key: Any) -> "_Place":
        """What a key says of its value; kept, as keys repeat."""
        if type(key) is not str:
            return _Place.PLAIN
        if (known := self.places.get(key)) is None:
            if len(self.places) > MOST_KEYS:
                self.places.clear()
            known = self.places[key] = _PLACES.get(key) or (_Place.NAMED if is_secret_name(key) else _Place.PLAIN)
        return known


def is_secret_name(name: str) -> bool:
    """Whether a value under this name is a secret."""
    return SECRET_NAME.fullmatch(name.encode("utf-8", "surrogatepass")) is not None


def _strings(root: Any) -> set[str]:
    """All distinct keys and strings, level by level."""
    found: set[str] = set()
    level, nodes = [root], 0
    for _ in range(DEEPEST):
        found.update([node for node in level if type(node) is str])
        mappings = [node for node in level if type(node) is dict]
        found.update([key for key in chain.from_iterable(mappings) if type(key) is str])
        level = list(chain(chain.from_iterable(map(dict.values, mappings)), chain.from_iterable([n for n in level if type(n) is list])))
        nodes += len(level)
        if not level:
            return found
        if nodes > MOST_NODES:
            raise Beyond
    raise Beyond


def _list_of_many(root: Any) -> str | None:
    """The key under which a List has its items or a Table its rows."""
    if type(root) is not dict or root.get("kind") == "SecretList":
        return None
    return next((key for key in ("items", "rows") if type(root.get(key)) is list), None)


class _Place(Enum):
    """What a mapping's key says of its value."""

    PLAIN = auto()
    NAMED = auto()  # a secret, by its name
    DATA = auto()  # all below is secret, where the object is a Secret
    ARGUMENTS = auto()  # a command line
    APPLIED = auto()  # a whole object in a string
    BINARY = auto()  # base64 of anything, as in a ConfigMap


_PLACES = {
    **dict.fromkeys(("data", "stringData"), _Place.DATA),
    "binaryData": _Place.BINARY,
    **dict.fromkeys(("args", "command", "argv", "cmd", "entrypoint", "Args", "Cmd", "Entrypoint"), _Place.ARGUMENTS),
    "kubectl.kubernetes.io/last-applied-configuration": _Place.APPLIED,
}
_PLAIN = _Place.PLAIN
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")  # gzip, zip, xz, bzip2, zstd


class _Rebuilding:
    """One walk over one object."""

    def __init__(self, trees: Trees, hits: frozenset[str], embedded: int) -> None:
        self._trees = trees
        self._hits = hits
        self._embedded = embedded
        self._mask = trees.fingerprint.mask_text
        self._places = trees.places
        self._names = "names" not in trees.texts.off

    def value(self, node: Any, secret: bool) -> Any:
        """A node of any type without its secrets."""
        kind = type(node)
        if kind is str:
            return node if node not in self._hits else self._text(node, secret)
        if kind is dict:
            return self._mapping(node, secret) if node else node
        if kind is list:
            return _rebuilt(node, lambda item: self.value(item, secret))
        return node

    def _mapping(self, node: dict[Any, Any], secret: bool) -> dict[Any, Any]:
        secret = secret or node.get("kind") in ("Secret", "SecretList")
        if secret:
            self._learn(node)
        special = self._special(node, secret)
        if any(special[key] is not node[key] for key in special):
            node = {**node, **special}
        places, changed = self._places, {}
        for key, item in node.items():
            place = places.get(key) or self._trees.place(key)
            if place is not _PLAIN or type(item) is not str or item in self._hits:
                new = self.value(item, secret) if place is _PLAIN else self._placed(place, key, item, secret)
                if new is not item:
                    changed[key] = new
        node = {**node, **changed} if changed else node
        return self._keys(node, secret) if self._hits and not self._hits.isdisjoint(node) else node

    def _learn(self, node: dict[Any, Any]) -> None:
        """The values of a Secret, and a token that was asked for, are looked for from now on."""
        learn, name = self._trees.texts.learn, self._name(node)
        for place in ("data", "stringData"):
            held = node.get(place)
            for key, item in held.items() if type(held) is dict else ():
                if type(item) is str:
                    learn(_decoded(item) if place == "data" else item.encode("utf-8", "surrogatepass"), f"{name}:{key}")
        if type(token := node.get("token")) is str:
            learn(token.encode("utf-8", "surrogatepass"), f"{name}:token")

    def _name(self, node: dict[Any, Any]) -> str:
        """The object's, else what the URL says."""
        meta = node.get("metadata")
        if type(meta) is dict and type(meta.get("name")) is str:
            return f"{meta.get('namespace') or ''}/{meta['name']}"
        return self._trees.texts.reading.secret

    def _keys(self, node: dict[Any, Any], secret: bool) -> dict[Any, Any]:
        return {self._text(key, secret) if key in self._hits else key: item for key, item in node.items()}

    def _placed(self, place: _Place, key: str, item: Any, secret: bool) -> Any:
        if place is _Place.NAMED and (secret or self._names):
            return self._named(item, secret)
        if place is _Place.DATA and type(item) is dict and "release" in item:
            item = self._released(item, secret)
        if secret and place in (_Place.DATA, _Place.BINARY):
            new = self._all(item, key != "stringData")
            return item if new == item else new
        if place is _Place.ARGUMENTS:
            return self._arguments(item, secret)
        if place is _Place.BINARY and type(item) is dict:
            changed = {name: new for name, part in item.items() if (new := self._binary(part)) is not part}
            return {**item, **changed} if changed else item
        if place is _Place.APPLIED and type(item) is str:
            return self._text(item, secret, embedded=True)
        return self.value(item, secret)

    def _binary(self, item: Any) -> Any:
        """Masked as a whole when there is a secret within, or when it is packed: then nobody looked."""
        decoded = _decoded(item) if type(item) is str else b""
        hides = decoded.startswith(_PACKED) or self._trees.texts.spans(decoded)
        return self._trees.fingerprint.mask(decoded).decode("latin-1") if hides else self.value(item, False)

    def _special(self, node: dict[Any, Any], secret: bool) -> dict[Any, Any]:
        """What depends on several fields of one mapping."""
        if "value" in node:
            return self._value_field(node, secret)
        if "1" in node and "2" in node:
            return self._numbered(node, secret)
        if secret and node.get("kind") == "Status" and node.get("status") != "Success" and str(node.get("reason")) not in _QUOTES_NOTHING:
            return {key: self._all(node[key], False) for key in ("message", "details") if key in node}
        return {}

    def _value_field(self, node: dict[Any, Any], secret: bool) -> dict[Any, Any]:
        """`{name, value}` as in env and probe headers, and JSON patch operations (RFC 6902)."""
        if type(path := node.get("path")) is str and type(node.get("op")) is str:
            return {"value": self._patched(path, node["value"], secret)}
        names = [node[key] for key in _NAME_KEYS if type(node.get(key)) is str and self._names]
        return {"value": self._named(node["value"], secret)} if any(map(is_secret_name, names)) else {}

    def _numbered(self, node: dict[Any, Any], secret: bool) -> dict[Any, Any]:
        """Protobuf fields without names: env vars and map entries are {1: name, 2: value}."""
        names = node["1"] if type(node["1"]) is list else [node["1"]]
        is_named = self._names and any(type(name) is str and is_secret_name(name) for name in names)
        return {"2": self._named(node["2"], secret)} if is_named else {}

    def _patched(self, path: str, value: Any, secret: bool) -> Any:
        """Masks the value at the place where the patch puts it."""
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]] or [""]
        if len(parents) > DEEPEST // 2 or (last == "value" and "env" in parents[-2:]):
            return self._all(value, False)
        if secret and _PLACES.get("".join(parents[:1])) is _Place.DATA:
            if type(value) is str:
                encoded = value.encode("utf-8", "surrogatepass")
                self._trees.texts.learn(encoded if parents[0] == "stringData" else _decoded(value), f"{self._name({})}:{last}")
            return self._all(value, parents[0] != "stringData")
        return self._placed(self._trees.place(last), last, value, secret)

    def _named(self, item: Any, secret: bool) -> Any:
        """A value whose name promises a secret."""
        if type(item) is str:
            return item if INNOCUOUS.fullmatch(item.encode("utf-8", "surrogatepass")) else self._mask(item)
        if type(item) is list:
            return _rebuilt(item, lambda part: self.value(part, secret) if type(part) is dict else self._named(part, secret))
        if type(item) is int or type(item) is float:
            return self._mask(str(item))
        if type(item) is dict and type(held := item.get("value")) is str and (new := self._named(held, secret)) is not held:
            item = {**item, "value": new}
        return self.value(item, secret)

    def _released(self, data: dict[Any, Any], secret: bool) -> dict[Any, Any]:
        """A helm release becomes its parsed view; in a ConfigMap it is not encoded once more."""
        packed = data["release"]
        if type(packed) is not str or self._embedded >= EMBEDDED:
            return data
        release = opened(_decoded(packed) if secret else packed.encode("utf-8", "surrogatepass"))
        if release is None:
            return data
        view = self._trees.releases.view(release, self._trees.texts.reading.secret)
        return {**data, "release": View(self._trees.mask(self._trees.mask(view, False, self._embedded + 1), False, self._embedded + 1))}

    def _all(self, item: Any, encoded: bool) -> Any:
        """Every value below; `encoded`: they are base64, and the stand-in is that of the bytes themselves."""
        if type(item) is View:
            return item
        if type(item) is dict:
            return {key: self._all(part, encoded) for key, part in item.items()}
        if type(item) is list:
            return [self._all(part, encoded) for part in item]
        if type(item) is str:
            return self._trees.fingerprint.mask(_decoded(item) if encoded else item.encode("utf-8", "surrogatepass")).decode("latin-1")
        return item if item is None or type(item) is bool else self._mask(str(item))

    def _arguments(self, item: Any, secret: bool) -> Any:
        """A command line: one argument may say that the next is a secret."""
        if type(item) is not list or not all(type(part) is str for part in item):
            return self.value(item, secret)
        argv = [part.encode("utf-8", "surrogatepass") for part in item]
        spans = argv_spans(self._trees.texts, argv)
        if not any(spans):
            return item
        return [self._trees.texts.replaced(part, found).decode("utf-8", "surrogatepass") for part, found in zip(argv, spans, strict=True)]

    def _text(self, text: str, secret: bool, embedded: bool = False) -> str:
        """A string, which may be JSON itself."""
        if embedded or text.lstrip()[:1] in ("{", "["):
            try:
                return self._object_within(text, secret)
            except (ValueError, RecursionError, Beyond):
                if secret:
                    return self._mask(text)
        return self._trees.texts.mask_text(text)

    def _object_within(self, text: str, secret: bool) -> str:
        if self._embedded >= EMBEDDED:
            raise Beyond
        found = json.loads(text)
        masked = self._trees.mask(found, secret, self._embedded + 1)
        ending = "\n" if text.endswith("\n") else ""
        return text if masked is found else json.dumps(masked, ensure_ascii=False, separators=(",", ":")) + ending


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return text.encode("utf-8", "surrogatepass")


def _rebuilt(items: list[Any], masked: Callable[[Any], Any]) -> list[Any]:
    new = [masked(item) for item in items]
    return new if any(a is not b for a, b in zip(new, items, strict=True)) else items
