"""What a request would change of an object, against what the traffic showed of it last, as lines for people. All of it is masked."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

LINES = 40
VALUE = 200  # characters
DEPTH = 24
NODES = 5_000
_OURS_NOT = frozenset(
    {("metadata", name) for name in ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")}
    | {("status",), ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")}
)  # what the apiserver, and not the client, decides on
_ABSENT: Any = object()
Path = tuple[str, ...]


def difference(before: Any, sent: Any, verb: str) -> list[str]:
    """`before`: None when the traffic showed nothing of it. At most LINES, the last of which says how many more there are."""
    if verb in ("delete", "deletecollection"):
        return ["- the whole object"] if verb == "delete" else ["- every object that the request selects"]
    if not isinstance(sent, Mapping | list):
        return []
    found = list(_operations(sent) if isinstance(sent, list) else _changes(before, sent, verb == "patch"))
    return found[:LINES] + ([f"… {len(found) - LINES} more"] if len(found) > LINES else [])


def _operations(patch: list[Any]) -> Iterator[str]:
    """A JSON patch (RFC 6902) says itself what it does."""
    for operation in patch[:NODES]:
        if isinstance(operation, Mapping):
            value = f": {_shown(operation['value'])}" if "value" in operation else ""
            yield f"{operation.get('op', '?')} {_cut(str(operation.get('path', '?')))}{value}"


def _changes(before: Any, sent: Mapping[str, Any], partial: bool) -> Iterator[str]:
    old, new = dict(_leaves(before or {})), dict(_leaves(sent))
    for path in sorted(old.keys() | new.keys()):
        line = _change(path, old.get(path, _ABSENT), new.get(path, _ABSENT), partial)
        if line and not any(path[: len(other)] == other for other in _OURS_NOT):
            yield line


def _change(path: Path, old: Any, new: Any, partial: bool) -> str:
    """Of a patch, what it does not name stays; null removes."""
    name = _cut(".".join(path))
    if new is _ABSENT:
        return "" if partial else f"- {name}: {_shown(old)}"
    if partial and new is None:
        return f"- {name}" + ("" if old is _ABSENT else f": {_shown(old)}")
    if old is _ABSENT:
        return f"+ {name}: {_shown(new)}"
    return "" if old == new else f"~ {name}: {_shown(old)} → {_shown(new)}"


def _leaves(tree: Any) -> Iterator[tuple[Path, Any]]:
    """Every value that has no keys of its own, with its path; lists of plain values are one value."""
    waiting: list[tuple[Path, Any]] = [((), tree)]
    left = NODES
    while waiting and left:
        path, node = waiting.pop()
        left -= 1
        if isinstance(node, Mapping) and node and len(path) < DEPTH:
            waiting += [((*path, str(key)), value) for key, value in node.items()]
        elif isinstance(node, list) and any(isinstance(item, Mapping) for item in node) and len(path) < DEPTH:
            waiting += [((*path, _label(item, at)), item) for at, item in enumerate(node)]
        elif path:
            yield path, node


def _label(item: Any, at: int) -> str:
    """Items are compared by their names where they have them, as Kubernetes merges most lists."""
    name = item.get("name") if isinstance(item, Mapping) else None
    return f"[{name}]" if isinstance(name, str) else f"[{at}]"


def _shown(value: Any) -> str:
    try:
        return _cut(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "…"  # nobody would read it


def _cut(text: str) -> str:
    return text if len(text) <= VALUE else f"{text[: VALUE - 1]}…"
