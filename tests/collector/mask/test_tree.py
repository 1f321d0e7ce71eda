import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.tree import Beyond, Trees, is_secret_name

FINGERPRINT = Fingerprint(b"k" * 32)
TREES = Trees(Texts(FINGERPRINT), FINGERPRINT)
SECRET = "Zq7xWv3pLm9k"
STAND_IN = FINGERPRINT.mask_text(SECRET)
ENCODED = base64.b64encode(SECRET.encode()).decode()
MANIFEST = {"apiVersion": "v1", "kind": "Secret", "data": {"user": ENCODED}, "stringData": {"b": SECRET}}
APPLIED = {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(MANIFEST) + "\n"}}}


def masked(root: Any, secret: bool = False) -> Any:
    return TREES.mask(root, secret)


def test_a_secrets_values_are_replaced_and_its_keys_stay() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "web"},
        "data": {"user": ENCODED, "empty": ""},
        "stringData": {"b": SECRET},
        "type": "Opaque",
    }
    assert masked(secret) == {**secret, "data": {"user": STAND_IN, "empty": ""}, "stringData": {"b": STAND_IN}}


def test_the_stand_in_is_of_the_bytes_in_the_base64_so_that_encodings_do_not_matter() -> None:
    shown = masked({"kind": "Secret", "data": {"user": ENCODED}, "stringData": {"user": SECRET}})
    assert shown["data"] == shown["stringData"]


@pytest.mark.parametrize(
    "root",
    [
        {"kind": "SecretList", "items": [{"metadata": {"name": "a"}, "data": {"user": ENCODED}}]},
        {"kind": "List", "items": [{"kind": "ConfigMap", "data": {"a": "b"}}, MANIFEST]},
        {"type": "DELETED", "object": MANIFEST},
        APPLIED,
        {"kind": "Table", "rows": [{"cells": ["web", "Opaque", 1], "object": {"kind": "PartialObjectMetadata", **APPLIED}}]},
        {"kind": "TokenRequest", "status": {"token": SECRET}},
        {"kind": "TokenReview", "spec": {"token": SECRET}},
        {"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": SECRET}]}]}},
        {"spec": {"containers": [{"args": ["--password", SECRET]}]}},
        {"spec": {"containers": [{"command": ["mysql", "-p" + SECRET]}]}},
        {"spec": {"containers": [{"livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": SECRET}]}}}]}},
        {"kind": "ConfigMap", "data": {"password": SECRET}},
        {"kind": "ConfigMap", "data": {"app.properties": f"user=bob\ndb.password={SECRET}\n"}},
        {"kind": "ConfigMap", "data": {"manifest.json": json.dumps(MANIFEST)}},
        {"kind": "ConfigMap", "data": {"manifest.yaml": f"kind: Secret\nstringData:\n  user: {SECRET}\n"}},
        {"kind": "ConfigMap", "binaryData": {"x": base64.b64encode(f"password={SECRET}".encode()).decode()}},
        {"kind": "ConfigMap", "data": {"kubeconfig": f"users:\n- user:\n    token: {SECRET}\n    client-key-data: {ENCODED}\n"}},
        {"kind": "StorageClass", "parameters": {"adminSecret": SECRET}},
        {"spec": {"password": {"value": SECRET}, "tokens": 3}},
        {"spec": {"url": f"amqp://bob:{SECRET}@mq/"}},
        [{"op": "add", "path": "/spec/template/spec/containers/0/env/0/value", "value": SECRET}],
        [{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "TOKEN", "value": SECRET}}],
        [
            {
                "op": "replace",
                "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
                "value": json.dumps(MANIFEST),
            }
        ],
        [{"op": "test", "path": "/data/password", "value": SECRET}],
        {"1": ["DB_PASSWORD"], "2": [SECRET]},
        {"message": f"exec failed: mysql -p{SECRET}"},
        {"spec": {"password": [SECRET, SECRET]}},
        {f"password={SECRET}": {}},
    ],
)
def test_a_secret_is_replaced_by_place_by_name_or_by_its_looks(root: Any) -> None:
    shown = json.dumps(masked(root))
    assert SECRET not in shown
    assert ENCODED not in shown
    assert "~masked-" in shown
    assert masked(masked(root)) == masked(root)


@pytest.mark.parametrize(
    "root",
    [
        {"data": {"user": ENCODED}, "stringData": {"a": SECRET}},
        [{"op": "add", "path": "/data/user", "value": ENCODED}],
        [{"op": "add", "path": "/stringData", "value": {"user": SECRET}}],
        [{"op": "add", "path": "", "value": {"data": {"user": SECRET}}}],
        {"items": [{"data": {"user": ENCODED}}]},
        {"kind": "Status", "status": "Failure", "code": 400, "message": f"illegal base64 |{SECRET}|", "reason": "BadRequest"},
        {
            "kind": "Status",
            "status": "Failure",
            "message": "x",
            "details": {"causes": [{"message": f'Invalid value: "{SECRET}"'}]},
            "code": 422,
        },
        {"type": "MODIFIED", "object": {"data": {"user": ENCODED}}},
        {"data": {"user": {"odd": [SECRET]}}},
    ],
)
def test_the_resource_secrets_makes_partial_objects_secret(root: Any) -> None:
    shown = json.dumps(masked(root, secret=True))
    assert SECRET not in shown
    assert ENCODED not in shown


@pytest.mark.parametrize(
    "root",
    [
        {"kind": "ConfigMap", "data": {"user": "bob", "token-ttl": "5m"}},
        {
            "spec": {
                "volumes": [{"secret": {"secretName": "web"}}, {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
            }
        },
        {"rules": [{"resources": ["secrets", "serviceaccounts/token"], "verbs": ["get"]}]},
        {"spec": {"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}},
        {"spec": {"env": [{"name": "DB_PASSWORD", "value": "$(OTHER)"}]}},
        {"fieldsV1": {"f:data": {"f:password": {}}, "f:token": {}}},
        {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": 'secrets "web" not found', "details": {"name": "web"}},
        {"metadata": {"continue": "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTIzNH0", "resourceVersion": "12"}},
        {"properties": {"token": {"type": "string", "description": "a token"}}},
        {"spec": {"token": {"value": "true"}}},
        {"kind": "ConfigMap", "binaryData": {"logo.png": "iVBORw0KGgo="}},
        [1, 2.5, None, True, "x", {}, []],
        "text",
        None,
    ],
)
def test_innocent_objects_are_the_same_object(root: Any) -> None:
    assert masked(root) is root


def test_the_last_applied_configuration_stays_json() -> None:
    text = masked(APPLIED)["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert json.loads(text) == {**MANIFEST, "data": {"user": STAND_IN}, "stringData": {"b": STAND_IN}}
    assert text.endswith("\n")


def test_the_original_is_not_changed() -> None:
    before = json.dumps(MANIFEST)
    masked(MANIFEST)
    assert json.dumps(MANIFEST) == before


WORDS = """
name value key kind data stringData token db.password path op env args command authorization items rows auth binaryData metadata 1 2
annotations kubectl.kubernetes.io/last-applied-configuration status reason message details object Secret SecretList Status Table add
--password mysql -pabc /data/x /a/env/0/value / "" true password=abc Bearer {"a":1} [] {"kind":"Secret","data":{"a":"b"}} YWJj
"""
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS.split()) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=4),
    max_leaves=12,
)


@given(ODD, st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_object_is_taken_and_masking_twice_is_masking_once(root: Any, secret: bool) -> None:
    once = masked(root, secret)
    assert masked(once, secret) == once
    assert json.loads(json.dumps(once)) == once


def test_an_object_deeper_than_the_limit_is_refused() -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = {"a": deep}
    with pytest.raises(Beyond):
        masked(deep)


def test_objects_within_strings_within_strings_end_somewhere() -> None:
    text = json.dumps(MANIFEST)
    for _ in range(8):
        text = json.dumps({"kind": "Secret", "x": text})
    assert SECRET not in json.dumps(masked({"a": text}))


def test_names_are_kept_within_a_limit() -> None:
    trees = Trees(Texts(FINGERPRINT), FINGERPRINT)
    trees.mask({"kind": "Secret", **{f"k{number}": 1 for number in range(25_000)}}, False)
    assert len(trees.places) <= 10_001
    assert is_secret_name("password")
