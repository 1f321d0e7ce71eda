"""YAML as sigs.k8s.io/yaml reads it: the first document, keys as strings, nothing but JSON's types.

Built from libyaml's events without recursion, so that depth and aliases are counted before they cost anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from chaperone.collector.kube.forms.json_text import parse_json
from chaperone.collector.kube.forms.parsed import Parsed, UnreadableError

DEPTH_LIMIT = 200
TOO_DEEP = f"YAML nested deeper than {DEPTH_LIMIT}"
NODE_LIMIT = 200_000  # of one document, aliases counted at full size
SECOND_DOCUMENT = "more than one YAML document"
REPEATED_KEY = "a YAML key is repeated"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_CONSTRUCT = yaml.constructor.SafeConstructor()
_TAG = "tag:yaml.org,2002:"
_NO_KEY = object()


@dataclass(slots=True)
class _Open:
    """A list or mapping that is not yet over. `weight`: nodes in it."""

    value: Any
    anchor: str | None
    key: Any = _NO_KEY
    weight: int = 1


def parse_yaml(data: bytes | memoryview) -> Parsed:
    """The first document's value."""
    raw = bytes(data)
    if raw.lstrip()[:1] == b"{":
        try:
            return parse_json(raw)
        except UnreadableError:
            pass  # a flow mapping of YAML's own, with comments or bare words
    try:
        return _Builder().build(yaml.parse(raw.decode("utf-8"), Loader=_Loader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(_complaint(error)) from None


def _complaint(error: Exception) -> str:
    """libyaml looks ahead: a newer one may end at its own 1000 levels before the builder has seen DEPTH_LIMIT."""
    is_deep = isinstance(error, yaml.MarkedYAMLError) and "nesting depth" in (error.problem or "")
    return TOO_DEEP if is_deep else f"not YAML ({type(error).__name__})"


class _Builder:
    def __init__(self) -> None:
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.doubts: list[str] = []
        self.root: Any = None

    def build(self, events: Iterator[Any]) -> Parsed:
        documents = 0
        for event in events:
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                self.doubts.append(SECOND_DOCUMENT)
                break
            self._take(event)
        return Parsed(self.root, tuple(dict.fromkeys(self.doubts)))

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event), event.anchor, 1)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self.stack.pop()
            self._add(done.value, done.anchor, done.weight)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise UnreadableError("a YAML alias to nothing, or to itself")
            value, weight = self.anchors[event.anchor]
            self._add(value, None, weight)

    def _open(self, value: Any, anchor: str | None) -> None:
        if len(self.stack) >= DEPTH_LIMIT:
            raise UnreadableError(TOO_DEEP)
        self.stack.append(_Open(value, anchor))

    def _add(self, value: Any, anchor: str | None, weight: int) -> None:
        if anchor:
            self.anchors[anchor] = (value, weight)
        if not self.stack:
            self.root = value
            return
        parent = self.stack[-1]
        parent.weight += weight
        if parent.weight > NODE_LIMIT:
            raise UnreadableError(f"YAML of more than {NODE_LIMIT} nodes")
        self._put(parent, value)

    def _put(self, parent: _Open, value: Any) -> None:
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is _NO_KEY:
            parent.key = _key(value)
        else:
            if parent.key in parent.value:
                self.doubts.append(REPEATED_KEY)
            _merge(parent.value, value) if parent.key == "<<" else parent.value.__setitem__(parent.key, value)
            parent.key = _NO_KEY


def _merge(target: dict[str, Any], source: Any) -> None:
    """`<<`: keys of one mapping or of several, which do not replace what is there."""
    for mapping in source if isinstance(source, list) else [source]:
        if not isinstance(mapping, dict):
            raise UnreadableError("a YAML merge of no mapping")
        for key, value in mapping.items():
            target.setdefault(key, value)


def _key(value: Any) -> str:
    if isinstance(value, dict | list):
        raise UnreadableError("a YAML key that is no scalar")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def _scalar(event: Any) -> Any:
    """A plain scalar by YAML 1.1's rules, less dates and base 60, which Go leaves strings."""
    plain, _ = event.implicit
    tag = event.tag or (_implicit(event.value) if plain else _TAG + "str")
    construct = _SCALARS.get(tag)
    if construct is None:
        if event.tag and not event.tag.startswith(_TAG):
            raise UnreadableError("a YAML tag that Kubernetes does not use")
        return event.value
    try:
        return construct(yaml.ScalarNode(tag, event.value))
    except (ValueError, KeyError, IndexError):
        return event.value


def _implicit(value: str) -> str:
    if ":" in value:
        return _TAG + "str"
    candidates = _RESOLVERS.get(value[:1], []) if value else _RESOLVERS.get("", [])
    return next((tag for tag, pattern in candidates if pattern.match(value)), _TAG + "str")


_SCALARS = {
    _TAG + "null": lambda node: None,
    _TAG + "bool": _CONSTRUCT.construct_yaml_bool,
    _TAG + "int": _CONSTRUCT.construct_yaml_int,
    _TAG + "float": _CONSTRUCT.construct_yaml_float,
}
