"""A helm release inside a Secret (helm pkg/storage/driver/util.go): base64 of gzip of JSON, opened and shown with its secrets masked.

What the user gave (`config`) is masked value by value whatever it is called; manifests, which are YAML texts, become lists of the
objects in them, masked as objects are. Of the chart stay its metadata and its values; its files are replaced as a whole. Whatever
is larger than the limits, or not what it should be, is not opened, and then the release is masked as a whole.
"""

import binascii
import json
from base64 import b64decode
from typing import Any

import yaml

from chaperone.collector.kube.forms.json_text import parse_json
from chaperone.collector.kube.forms.parsed import UnreadableError
from chaperone.collector.kube.forms.yaml_text import parse_yaml
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.patterns import compiled
from chaperone.collector.mask.text import Texts
from chaperone.collector.wire.coding import Decoder

PACKED = b"H4sI"  # gzip's first bytes in base64
INFLATED = 16 << 20  # bytes of JSON
MANIFESTS = 512 << 10  # bytes of YAML

_BORDER = compiled(rb"(?m)^---[^\n]*$")
_SHOWN = ("metadata", "values", "modtime", "schemamodtime")  # of a chart


class View(dict[str, Any]):
    """A release's masked form: nothing in it is to be masked again."""


yaml.SafeDumper.add_representer(View, yaml.representer.SafeRepresenter.represent_dict)


def opened(packed: bytes) -> dict[str, Any] | None:
    """The release in a Secret's value; None for anything else."""
    if not packed.startswith(PACKED):
        return None
    try:
        decoder = Decoder("gzip", INFLATED)
        text = bytes(decoder.feed(b64decode(packed, validate=True)))
        parsed = None if decoder.finish() else parse_json(text)
    except (binascii.Error, ValueError, UnreadableError):
        return None
    is_release = parsed and not parsed.doubts and isinstance(parsed.value, dict) and "manifest" in parsed.value
    return parsed.value if parsed and is_release else None


class Releases:
    """Makes objects of releases, ready to be masked as other objects are."""

    def __init__(self, texts: Texts, fingerprint: Fingerprint) -> None:
        self._texts, self._fingerprint = texts, fingerprint

    def view(self, release: dict[str, Any], name: str) -> dict[str, Any]:
        """Manifests as objects, the user's values and the chart's files replaced."""
        found = dict(release)
        found["manifest"] = self._objects(release["manifest"])
        if isinstance(hooks := release.get("hooks"), list):
            found["hooks"] = [self._hook(hook) for hook in hooks]
        if "config" in release:
            found["config"] = self._values(release["config"], f"{name}:config")
        if isinstance(chart := release.get("chart"), dict):
            found["chart"] = {key: item if key in _SHOWN else self._whole(item) for key, item in chart.items()}
        return found

    def _hook(self, hook: Any) -> Any:
        return {**hook, "manifest": self._objects(hook["manifest"])} if isinstance(hook, dict) and "manifest" in hook else hook

    def _objects(self, manifest: Any) -> Any:
        if not isinstance(manifest, str) or len(manifest) > MANIFESTS:
            return self._whole(manifest)
        texts = _BORDER.split(manifest.encode("utf-8", "surrogatepass"))
        return [found for text in texts if text.strip() and (found := self._object(text)) is not None]

    def _object(self, text: bytes) -> Any:
        try:
            parsed = parse_yaml(text)
        except UnreadableError:
            return self._fingerprint.mask(text).decode("ascii")
        return self._fingerprint.mask(text).decode("ascii") if parsed.doubts else parsed.value

    def _values(self, item: Any, name: str) -> Any:
        if isinstance(item, dict):
            return {key: self._values(part, name) for key, part in item.items()}
        if isinstance(item, list):
            return [self._values(part, name) for part in item]
        if item is None or isinstance(item, bool):
            return item
        self._texts.learn(str(item).encode("utf-8", "surrogatepass"), name)
        return self._fingerprint.mask_text(str(item))

    def _whole(self, item: Any) -> Any:
        return self._fingerprint.mask_text(item if isinstance(item, str) else json.dumps(item)) if item else item
