import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.glance import may_hold_secrets
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.tree import Trees

FINGERPRINT = Fingerprint(b"k" * 32)
TREES = Trees(Texts(FINGERPRINT), FINGERPRINT)
S = "Zq7xWv3pLm9k"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.GO_2R4rh8KufMBcmL0kdTKJO9dFM3T0"

_WORDS = """
name value key kind data stringData token db.password path op
env args command authorization items auth binaryData metadata 1 2 x
"""
KEYS = st.sampled_from(_WORDS.split())
TEXTS = st.sampled_from(
    [
        "DB_PASSWORD",
        "Secret",
        "--password",
        "mysql",
        "-p" + S,
        "/data/x",
        "add",
        "web",
        f"password={S}",
        f"a\n--token {S}",
        f"pass\tword: {S}",
        f"- name: TOKEN\n  value: {S}",
        f'- name: "TOKEN"\n  value: {S}',
        f"http://b:{S}@h",
        JWT,
        f"\nAKIA{'A' * 16}",
        "\x1b[1mx",
        f"password%3D{S}",
        f"<a:token x='y'>{S}</a:token>",
        f"login bob password {S}",
        f"$6$salt${S}{S}",
        f"apiVersion: v1\ndata:\n  a: {S}\n",
        "to \rken=x",
        "tox\b \bken=x",
        f"mysql -p{S}",
        f"Bearer {S}{S}",
        "-----BEGIN PRIVATE KEY-----\nx",
        f"curl -u b:{S}",
        f"passin pass:{S}",
        f"cookie: {S}",
        f'{{"auth": "{S}"}}',
        "{}",
        "cGFzc3dvcmQ9",
        f"secret={{{S}}}",
        f"token:\n{S}",
        f"token: |\n  {S}",
        "kind: Secret\ndata:\n  a: b\n",
        json.dumps({"kind": "Secret", "data": {"a": "b"}}),
        json.dumps([{"name": "TOKEN", "value": S}]),
        json.dumps({"a": json.dumps({"password": S})}),
        f"'token': '{S}'",
        f"redis-cli -a {S}",
        "true",
        "",
    ]
)
TREES_OF = st.recursive(
    TEXTS | st.sampled_from([1, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(TREES_OF, st.booleans(), st.sampled_from([None, 2]))
@settings(max_examples=600, deadline=None)
def test_what_is_replaced_was_never_said_to_be_clean(root: object, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps(root, ensure_ascii=ascii_only, indent=indent).encode()
    if TREES.mask(root, False) != root:
        assert may_hold_secrets(raw)


@pytest.mark.parametrize("letter", sorted(set(map(chr, range(32, 127))) - set("&'<>")))
def test_an_escape_that_hides_a_plain_letter_is_looked_at(letter: str) -> None:
    assert may_hold_secrets(b'{"a":"x\\u%04xy"}' % ord(letter))
    assert may_hold_secrets(b'{"a":"x\\u%04Xy"}' % ord(letter))


def test_an_ordinary_pod_is_clean() -> None:
    pod = {
        "kind": "Pod",
        "metadata": {"name": "web-7d4b9-x2x9k", "uid": "38bd2035-99c7-41fa-88ae-73b703b26edd", "annotations": {"note": "a <b> & 'c'"}},
        "spec": {
            "volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}],
            "containers": [{"name": "web", "image": "docker.io/library/nginx@sha256:" + "acca" * 16, "args": ["--port", "80"]}],
            "imagePullSecrets": [{"name": "registry"}],
        },
    }
    assert not may_hold_secrets(json.dumps(pod).encode())
