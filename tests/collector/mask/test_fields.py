import json
from typing import Any

import pytest

from chaperone.collector.mask.fields import APPLIED, Fields
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.masking import Field

FINGERPRINT = Fingerprint(b"k" * 32)
PHRASE = Field(("spec", "auth", "phrase"), "Database", "spec.auth.phrase")
BLUE = {"kind": "Database", "spec": {"auth": {"phrase": "blue", "user": "ann"}, "phrase": "green"}}


def masked(root: Any, *fields: Field, kind: str = "") -> tuple[str, list[bytes]]:
    learned: list[bytes] = []
    made = Fields(fields or (PHRASE,), FINGERPRINT, lambda value, _: learned.append(value))
    assert made.may_be_in(json.dumps(root).encode())
    return json.dumps(made.mask(root, kind)), learned


def applied(root: object) -> dict[str, object]:
    return {"annotations": {APPLIED: json.dumps(root) + "\n"}}


PARTIAL = {"spec": {"auth": {"phrase": "blue"}}}
PLACES: dict[str, tuple[Any, str]] = {
    "an object": (BLUE, ""),
    "an object of a known kind": (PARTIAL, "Database"),
    "a list": ({"kind": "DatabaseList", "items": [PARTIAL]}, ""),
    "a List of anything": ({"kind": "List", "items": [{"kind": "Pod"}, BLUE]}, ""),
    "a table": ({"kind": "Table", "rows": [{"cells": [1], "object": BLUE}]}, ""),
    "a watch event": ({"type": "ADDED", "object": BLUE}, ""),
    "a copy": ({"kind": "Database", "metadata": applied(BLUE)}, ""),
    "a patch of the value": ([{"op": "add", "path": "/spec/auth/phrase", "value": "blue"}], "Database"),
    "a patch above": ([{"op": "add", "path": "/spec", "value": {"auth": {"phrase": "blue"}}}], "Database"),
    "a patch below": ([{"op": "add", "path": "/spec/auth/phrase/0", "value": {"x": "blue"}}], "Database"),
    "lists on the way": ({"kind": "Database", "spec": [{"auth": [[{"phrase": {"a": ["blue"]}}]]}]}, ""),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_field_is_masked_wherever_its_object_is(place: str) -> None:
    root, kind = PLACES[place]
    text, learned = masked(root, kind=kind)
    assert "blue" not in text and "~masked-4-" in text and set(learned) == {b"blue"}
    assert text.count("green") == json.dumps(root).count("green")


def test_other_kinds_and_other_places_stay() -> None:
    made = Fields((PHRASE,), FINGERPRINT, lambda *_: None)
    for root in (BLUE | {"kind": "Other"}, {"kind": "Database", "spec": {"phrase": "x"}}, "text", None, [1, {"path": "/spec"}]):
        assert made.mask(root, "") is root
    assert not made.may_be_in(b'{"spec": 1}') and not Fields((), FINGERPRINT, lambda *_: None).may_be_in(b"anything")


def test_a_star_is_any_key_and_no_kind_is_every_kind() -> None:
    text, _ = masked({"a": {"x": {"p": 1}, "y": {"p": True, "q": "stays"}}}, Field(("a", "*", "p")))
    assert json.loads(text) == {"a": {"x": {"p": FINGERPRINT.mask_text("1")}, "y": {"p": True, "q": "stays"}}}
    assert "blue" not in masked(BLUE, Field(("spec", "*"), "Database"))[0]
