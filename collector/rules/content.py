"""What the masked bodies of a call say: request objects, answered objects, pod specs wherever they stand.

Bounded: a body over LIMIT is not opened, and of one tree NODES nodes are walked.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import yaml

from chaperone.collector.rules.event import Document

LIMIT = 8 << 20
YAML_LIMIT = 256 << 10  # characters; it takes a hundred times as long
NODES = 200_000
POD_TEMPLATES = frozenset(
    {"pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs", "podtemplates"}
)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Pair = tuple[str, Any]


class UnreadError(Exception):
    """The body was not kept whole or can't be read: what it says is unknown."""


def parsed(body: Document | None) -> Any:
    """A body as JSON values; None where there is none. UnreadError when its content is unknown."""
    if body is None or (body["complete"] and not body["size"]):
        return None
    data = body.get("data")
    if data is None or not body["complete"] or body["encoding"] != "utf-8" or len(data) > LIMIT:
        raise UnreadError
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _from_yaml(data) if body.get("form") == "yaml" else _unread()


def _from_yaml(text: str) -> Any:
    """YAML as the apiserver reads it: one document, as JSON. With anchors it is unknown: they could make much of little."""
    if len(text) > YAML_LIMIT:
        raise UnreadError
    try:
        if any(getattr(event, "anchor", None) for event in yaml.parse(text, _LOADER)):
            raise UnreadError
        return orjson.loads(orjson.dumps(yaml.load(text, _LOADER), option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise UnreadError from None


def _unread() -> Any:
    raise UnreadError


def pairs(tree: Any) -> Iterator[Pair]:
    """Every key and its value, outermost first; of a JSON patch each operation's last path segment and value."""
    waiting, left = [tree], NODES
    while waiting and left:
        node, left = waiting.pop(), left - 1
        if isinstance(node, Mapping):
            if isinstance(node.get("path"), str) and "op" in node:
                yield from _patched(node["path"].split("/")[-2:], node.get("value"))
            yield from node.items()
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _patched(path: list[str], value: Any) -> Iterator[Pair]:
    """/…/hostPath/path says the same as {hostPath: {path: …}}."""
    yield path[-1], value
    if len(path) > 1:
        yield path[0], {path[-1]: value}


def has(tree: Any, key: str, value: Any = True) -> bool:
    """Is this key anywhere, with this value?"""
    return any(name == key and found == value and type(found) is type(value) for name, found in pairs(tree))


def texts(tree: Any, key: str) -> list[str]:
    """The texts under this key, wherever it stands, also in lists."""
    found = [value for name, value in pairs(tree) if name == key]
    flat = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return sorted({item for item in flat if isinstance(item, str)})


def inside(tree: Any, outer: str, key: str) -> list[str]:
    """The texts under `key` inside any `outer`."""
    return sorted({text for name, value in pairs(tree) if name == outer for text in texts(value, key)})


def object_count(body: Any) -> int:
    """How many objects an answer has: a list's items, a table's rows, else one."""
    if not isinstance(body, Mapping) or body.get("kind") == "Status":
        return 0
    several = body.get("rows") if body.get("kind") == "Table" else body.get("items")
    if isinstance(several, list):
        return len(several)
    return 0 if str(body.get("kind", "")).endswith("List") else 1


def labels(tree: Any) -> list[str]:
    """The labels of an object and of its pod template, as key=value."""
    found = [value for key, value in pairs(tree) if key == "labels" and isinstance(value, Mapping)]
    return sorted({f"{name}={value}" for one in found for name, value in one.items()})


def controller(tree: Any) -> str:
    """Who controls an object, as Kind/name; "" for nobody. At most one of its owners does."""
    about = tree.get("metadata") if isinstance(tree, Mapping) else None
    owners = about.get("ownerReferences") if isinstance(about, Mapping) else None
    found = [one for one in owners if isinstance(one, Mapping) and one.get("controller") is True] if isinstance(owners, list) else []
    return f"{found[0].get('kind', '')}/{found[0].get('name', '')}" if found else ""


def pod_facts(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Of a pod what rules ask of a target, in keys where `has`, `texts`, `inside`, `labels` and `controller` find just the same."""
    spec, about = pod.get("spec"), pod.get("metadata")
    flags = {key: True for key in ("privileged", "hostNetwork", "hostPID", "hostIPC", "allowPrivilegeEscalation") if has(spec, key)}
    unmasked = {"procMount": "Unmasked"} if has(spec, "procMount", "Unmasked") else {}
    paths = {"hostPath": [{"path": path} for path in inside(spec, "hostPath", "path")]}
    lists = {"capabilities": {"add": inside(spec, "capabilities", "add")}, "image": texts(spec, "image")}
    account = {"serviceAccountName": texts(spec, "serviceAccountName")}
    kept = {key: about[key] for key in ("labels", "ownerReferences") if key in about} if isinstance(about, Mapping) else {}
    return {**flags, **unmasked, **paths, **lists, **account, "metadata": kept}
