"""The recorded answers in `answers/`, by path and form (extract.py made them)."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asked import Answer, Asked, as_json

FORMS = {"as=Table": "table", "as=APIGroupDiscoveryList": "discovery", "application/vnd.kubernetes.protobuf": "protobuf", "yaml": "yaml"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of answers/."""

    content_type: str
    data: bytes
    zipped: bool


class Recorded:
    """What a kube-apiserver answered, once."""

    def __init__(self, directory: Path) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        for line in json.loads((directory / "index.json").read_text()):
            entry = Entry(line["type"], (directory / line["file"]).read_bytes(), line["file"].endswith(".gz"))
            self._entries[line["path"], line["form"]] = entry

    def answer(self, asked: Asked) -> Answer | None:
        """The answer in the first accepted form that was recorded, else in any."""
        if form := self.form(asked):
            return _coded(self._entries[asked.path, form], "gzip" in asked.header("accept-encoding"))
        item = self.item(asked.path)
        return as_json(200, item) if item else None

    def form(self, asked: Asked) -> str:
        """Which recorded form is served; "" if none is there."""
        forms = (*accepted(asked), "json", "text", "discovery", "protobuf")
        return next((form for form in forms if (asked.path, form) in self._entries), "")

    def document(self, path: str, form: str = "json") -> Any:
        """The recorded body itself, parsed. KeyError if there is none."""
        entry = self._entries[path, form]
        return json.loads(gzip.decompress(entry.data) if entry.zipped else entry.data)

    def item(self, path: str) -> dict[str, Any] | None:
        """An object by its path: recorded alone or as an item of a recorded list."""
        if (path, "json") in self._entries:
            return dict(self.document(path))
        collection, _, name = path.rpartition("/")
        if (collection, "json") not in self._entries:
            return None
        listed = self.document(collection)
        found = [item for item in listed["items"] if item["metadata"]["name"] == name]
        return {"kind": listed["kind"].removesuffix("List"), "apiVersion": listed["apiVersion"]} | found[0] if found else None


def accepted(asked: Asked) -> list[str]:
    """The forms of the Accept header, in its order."""
    ranges = asked.header("accept").split(",")
    return [next((form for part, form in FORMS.items() if part in media), "json") for media in ranges]


def _coded(entry: Entry, gzip_accepted: bool) -> Answer:
    """Large lists were recorded compressed (responsewriters/writers.go: above 128 KiB, when accepted)."""
    if not entry.zipped:
        return Answer(200, entry.content_type, entry.data)
    if not gzip_accepted:
        return Answer(200, entry.content_type, gzip.decompress(entry.data))
    return Answer(200, entry.content_type, entry.data, headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
