"""A body's document → the object it holds. Masked bodies are JSON already; revealed ones are as they were sent."""

import base64
import json
from typing import Any

import yaml

from chaperone.collector.kube.forms.cbor import parse_cbor
from chaperone.collector.kube.forms.parsed import UnreadableError
from chaperone.collector.kube.protobuf import envelope, unwrap
from chaperone.collector.kube.render import object_view

Body = dict[str, Any]
YAML_LIMIT = 1_000_000  # characters; PyYAML reads about 100 kB a second
MAGIC = b"k8s\0"  # runtime/serializer/protobuf
TIMESTAMP = "tag:yaml.org,2002:timestamp"


class Loader(yaml.SafeLoader):
    """YAML with JSON's types only (a time stays text, as in the apiserver's JSON) and without aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Aliases are refused: a few of them nested make an object of any size."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers.items()
Loader.yaml_implicit_resolvers = {first: [one for one in resolvers if one[0] != TIMESTAMP] for first, resolvers in _RESOLVERS}


def object_of(body: Body | None) -> Any:
    """The object; None if there is none, or it cannot be read."""
    if not body or not body.get("data"):
        return None
    try:
        return _read(body)
    except (ValueError, RecursionError, yaml.YAMLError, UnreadableError):
        return None


def _read(body: Body) -> Any:
    if body["form"] == "cbor" and body["encoding"] == "base64":
        return parse_cbor(base64.b64decode(body["data"])).value
    if body["encoding"] != "utf-8" or body["data"].startswith("k8s\0"):
        return _protobuf(base64.b64decode(body["data"]) if body["encoding"] == "base64" else body["data"].encode())
    if body["form"] == "yaml" and len(body["data"]) <= YAML_LIMIT and not body["data"].lstrip().startswith("{"):
        return yaml.load(body["data"], Loader)
    return json.loads(body["data"])


def _protobuf(data: bytes) -> Any:
    message = envelope(data) if data.startswith(MAGIC) else None
    if message is None or message.broken:
        return None
    found = unwrap(message)
    return None if found[2].broken else object_view(*found)
