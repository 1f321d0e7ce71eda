"""Places in objects that a user names: `spec.auth.password` of a kind, in whole objects, lists, tables, patches and copies.

The value there is replaced whatever it is, and its strings are looked for from then on as a Secret's are.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.masking import Field

ANY = "*"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
DEEPEST = 64  # keys of a path

Learn = Callable[[bytes, str], None]


class Fields:
    """Masks by place under one key. `learn` gets each value that was found."""

    def __init__(self, fields: Sequence[Field], fingerprint: Fingerprint, learn: Learn) -> None:
        self._fields = tuple(fields)
        self.any = bool(fields)
        self._fingerprint = fingerprint
        self._learn = learn
        ends = [field.path[-1] for field in self._fields]
        self._needles = None if ANY in ends else tuple(end.encode() for end in ends)

    def may_be_in(self, raw: bytes) -> bool:
        """Whether JSON as it was sent may have such a place. A key with an escaped letter is seen by the glance."""
        return self._needles is None or any(needle in raw for needle in self._needles)

    def mask(self, root: Any, kind: str) -> Any:
        """The object, of this kind as far as is known, without what stands at these places; the same when nothing does."""
        for field in self._fields:
            root = self._in_object(root, field, kind)
        return root

    def _in_object(self, root: Any, field: Field, kind: str) -> Any:
        if type(root) is list:
            return _each(root, lambda operation: self._in_operation(operation, field, kind))
        if type(root) is not dict:
            return root
        kind = root["kind"] if type(root.get("kind")) is str else kind
        if kind.endswith("List") and type(root.get("items")) is list:
            return _with(root, "items", _each(root["items"], lambda item: self._in_object(item, field, kind.removesuffix("List"))))
        if kind == "Table" and type(root.get("rows")) is list:
            return _with(root, "rows", _each(root["rows"], lambda row: self._in_row(row, field)))
        if "object" in root and type(root.get("type")) is str:
            return _with(root, "object", self._in_object(root["object"], field, ""))
        if field.kind in ("", kind):
            root = self._copy(self._at(root, field.path, field.name), field, kind)
        return root

    def _in_row(self, row: Any, field: Field) -> Any:
        return _with(row, "object", self._in_object(row["object"], field, "")) if type(row) is dict and "object" in row else row

    def _in_operation(self, operation: Any, field: Field, kind: str) -> Any:
        """A JSON patch's (RFC 6902)."""
        if type(operation) is not dict or type(path := operation.get("path")) is not str or field.kind not in ("", kind):
            return operation
        parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
        parts = [part for part in parts if not part.isdigit() and part != "-"]
        shared = zip(parts, field.path, strict=False)
        if "value" not in operation or not all(wanted in (ANY, part) for part, wanted in shared):
            return operation
        return _with(operation, "value", self._at(operation["value"], field.path[len(parts) :], field.name))

    def _copy(self, root: dict[str, Any], field: Field, kind: str) -> dict[str, Any]:
        """What kubectl apply keeps of the object in an annotation of it."""
        meta = root.get("metadata")
        notes = meta.get("annotations") if isinstance(meta, dict) else None
        if not isinstance(meta, dict) or type(notes) is not dict or type(text := notes.get(APPLIED)) is not str:
            return root
        try:
            copy = json.loads(text)
        except (ValueError, RecursionError):
            return root
        if (masked := self._in_object(copy, field, kind)) is copy:
            return root
        written = json.dumps(masked, ensure_ascii=False, separators=(",", ":")) + ("\n" if text.endswith("\n") else "")
        return {**root, "metadata": {**meta, "annotations": {**notes, APPLIED: written}}}

    def _at(self, node: Any, path: Sequence[str], name: str) -> Any:
        if not path:
            return self._whole(node, name)
        if type(node) is list:
            return _each(node, lambda item: self._at(item, path, name))
        if type(node) is not dict:
            return node
        keys = list(node) if path[0] == ANY else [path[0]]
        changed = {key: new for key in keys if key in node and (new := self._at(node[key], path[1:], name)) is not node[key]}
        return {**node, **changed} if changed else node

    def _whole(self, node: Any, name: str) -> Any:
        if type(node) is dict:
            return {key: self._whole(item, name) for key, item in node.items()}
        if type(node) is list:
            return [self._whole(item, name) for item in node]
        if node is None or type(node) is bool:
            return node
        text = str(node)
        self._learn(text.encode("utf-8", "surrogatepass"), name)
        return self._fingerprint.mask_text(text)


def _each(items: list[Any], masked: Callable[[Any], Any]) -> list[Any]:
    new = [masked(item) for item in items]
    return new if any(a is not b for a, b in zip(new, items, strict=True)) else items


def _with(root: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    return root if value is root[key] else {**root, key: value}
