import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.forms import many as module
from chaperone.collector.kube.forms.many import Many, Part, many
from chaperone.collector.kube.forms.parsed import UnreadableError

TEXTS = st.text(alphabet='ab"\\{},:[]é', max_size=8)
ITEMS = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": TEXTS})},
    optional={
        "subjects": st.lists(st.fixed_dictionaries({"metadata": st.integers(0, 99)}), max_size=3),  # looks like the next item
        "note": st.builds(lambda value: json.dumps([value, value]), st.dictionaries(TEXTS, TEXTS, max_size=2)),
    },
)


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def pod_list(items: list[Any]) -> dict[str, Any]:
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items}


def cut(body: bytes, size: int) -> list[Part]:
    return [memoryview(body)[start : start + size] for start in range(0, len(body), size)]


def found(body: bytes, size: int = 50) -> Many:
    seen = many(cut(body, size))
    assert seen is not None
    return seen


@given(st.lists(ITEMS, min_size=1, max_size=30), st.integers(1, 90), st.integers(1, 200), st.booleans(), st.booleans())
def test_windows_are_the_whole_list_however_it_is_cut(items: list[Any], size: int, window: int, newline: bool, is_sorted: bool) -> None:
    whole = pod_list(items)
    body = compact(dict(sorted(whole.items())) if is_sorted else whole) + b"\n" * newline
    with patch.object(module, "WINDOW", window):
        seen = found(body, size)
        windows = list(seen.windows())
    assert (seen.kind, seen.api_version, seen.joined()) == ("PodList", "v1", body)
    assert seen.opening + b"".join(b"".join(each.raw) for each in windows) == body
    assert [item for each in windows for item in each.value["items"]] == items
    assert [each.last for each in windows] == [False] * (len(windows) - 1) + [True]
    assert seen.opening + b"".join(seen.written(each, each.value["items"]) for each in windows) == body


def test_windows_are_small_and_the_same_however_the_body_came() -> None:
    body = compact(pod_list([{"metadata": {"name": f"web-{number}"}} for number in range(50_000)]))
    texts = [[each.text for each in found(body, size).windows()] for size in (99, 16384, len(body))]
    assert len(texts[0]) > 40
    assert max(map(len, texts[0])) < 2 * module.WINDOW
    assert texts[0] == texts[1] == texts[2]


def test_an_item_larger_than_a_window_is_read_in_one() -> None:
    items = [{"metadata": {"name": "x" * size}} for size in (10, 500_000, 10)]
    assert [item for each in found(compact(pod_list(items)), 16384).windows() for item in each.value["items"]] == items


def test_a_table_has_its_objects_in_rows() -> None:
    table = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": [{"name": "Name"}], "rows": [{"cells": ["a"]}] * 2}
    seen = found(compact(table))
    assert (seen.kind, seen.key) == ("Table", "rows")
    assert seen.shell["columnDefinitions"] == [{"name": "Name"}]


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"PodList","items":[{"a":1},{"a":2}]',
        b'{"kind":"PodList","items":[{"a":1},{"a":2}]} x',
        b'{"kind":"PodList","items":[{"a":1},{"a":2}],"items":[]}',
        b'{"kind":"PodList","items":[{"a":1},{"a":2}],"kind":"SecretList"}',
        b'{"kind":"PodList","items":[{"a":1,"b":{"c":1,"c":1}},{"a":2}]}',
        b'{"kind":"PodList","items":[{"a":1},{"a":2]}]}',
        b'{"kind":"PodList","items":[{"a":1},{"a":"\xff"}]}',
    ],
)
@pytest.mark.parametrize("window", [1, 32768])
def test_what_is_in_doubt_is_not_read_in_windows(body: bytes, window: int) -> None:
    with patch.object(module, "WINDOW", window), pytest.raises(UnreadableError):
        list(found(body, 7).windows())


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(pod_list([{"a": 1}]), indent=2).encode(),
        compact(pod_list([])),
        compact(pod_list([1])),
        compact({"kind": "Status", "items": [{"a": 1}]}),
        compact({"kind": "Odd", "metadata": {"items": [{"a": 1}]}}),
        b'{"kind":"PodList","kind":"SecretList","items":[{"a":1}]}',
        b'{"items":[{"a":1}]}',
        b"",
    ],
)
def test_anything_else_is_not_taken_for_a_list(body: bytes) -> None:
    assert many(cut(body, 9)) is None


def test_items_without_an_end_are_given_up_at_a_limit() -> None:
    body = b'{"kind":"PodList","items":[{"a":"' + b"x" * 100_000
    with patch.object(module, "WIDEST", 50_000), pytest.raises(UnreadableError, match="no end of an item within 50000 bytes"):
        list(found(body, 4096).windows())


def test_a_list_shows_no_contents() -> None:
    assert repr(found(compact(pod_list([{"a": "Zq7xWv3pLm9k"}])))) == "Many(PodList)"
    assert found(compact(pod_list([{"a": 1}])), 5) == found(compact(pod_list([{"a": 1}])), 50)
