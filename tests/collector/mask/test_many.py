import json
from base64 import b64encode
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.forms import many as module
from chaperone.collector.kube.forms.many import Many, many
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.known import Known
from chaperone.collector.mask.many import mask_many
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.tree import Trees

CANARY = "Zq7xWv3pLm9k"
FINGERPRINT = Fingerprint(b"k" * 32)
TREES = Trees(Texts(FINGERPRINT), FINGERPRINT)
HIDING = st.sampled_from(
    [
        {"env": [{"name": "DB_PASSWORD", "value": CANARY}]},
        {"args": ["--token", CANARY]},
        {"kind": "Secret", "data": {"a": b64encode(CANARY.encode()).decode()}},
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"kind": "Secret", "stringData": {"b": CANARY}})}},
        {"note": f"password={CANARY}"},
        {"note": "nothing to see"},
        {},
    ]
)


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def read(body: bytes) -> Many:
    found = many([memoryview(body)[start : start + 100] for start in range(0, len(body), 100)])
    assert found is not None
    return found


def pod_list(items: list[Any]) -> dict[str, Any]:
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": {"name": "web"}, **item} for item in items]}


@given(st.lists(HIDING, min_size=1, max_size=20), st.integers(1, 600), st.booleans(), st.booleans())
def test_window_by_window_is_masked_as_the_whole_is(items: list[Any], window: int, secret: bool, is_sorted: bool) -> None:
    whole = pod_list(items)
    if is_sorted:
        whole = dict(sorted(whole.items()))
    TREES.texts.known = Known()
    with patch.object(module, "WINDOW", window):
        masked = mask_many(TREES, read(compact(whole)), secret)
    TREES.texts.known = Known()
    assert masked == compact(TREES.mask(whole, secret))
    assert CANARY.encode() not in masked


def test_a_secret_is_masked_further_up_than_where_it_is_known_from() -> None:
    TREES.texts.known = Known()
    whole = pod_list([{"note": f"see {CANARY}"}, {"kind": "Secret", "stringData": {"a": CANARY}}])
    with patch.object(module, "WINDOW", 1):
        masked = mask_many(TREES, read(compact(whole)), False)
    assert masked == compact(whole).replace(CANARY.encode(), FINGERPRINT.mask(CANARY.encode()))


def test_a_list_without_secrets_stays_as_it_was_sent() -> None:
    body = b'{"kind":"PodList","items":[{"a":"\\u003c","b":1.50},{"a":1e2}]}\n'
    assert mask_many(TREES, read(body), False) == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"PodList","items":[{"a":1,"a":2}]}',
        b'{"kind":"PodList","token":"Zq7xWv3pLm9k","items":[{"a":1}]}',
        b'{"kind":"PodList","items":[{"a":1}],"token":"Zq7xWv3pLm9k"}',
    ],
)
def test_what_is_more_than_its_items_is_left_to_be_read_whole(body: bytes) -> None:
    assert mask_many(TREES, read(body), False) is None
