import base64
import json

import pytest
from support.masking import PROTOBUF, enveloped, field

from chaperone.collector.mask.masking import BUILT_IN, Field, Masking
from chaperone.collector.mask.patterns import PATTERNS, Pattern
from chaperone.collector.mask.why import Trial

JSON, YAML, TEXT = "application/json", "application/yaml", "text/plain"
RANDOM = "Zq7xWv3pLm9kTb2r"
TOKEN = "ghp_0123456789abcdefghij"


def why(data: bytes | object, media_type: str = JSON, masking: Masking = BUILT_IN) -> dict[str, str]:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {reason.place: reason.by for reason in Trial(b"k" * 32, masking).of(raw, media_type).reasons}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_nothing_is_masked_of_what_has_no_secret() -> None:
    assert why({"kind": "Pod", "spec": {"nodeName": "n"}}) == {}
    assert why(b"plain\n", TEXT) == {}


def test_each_place_has_its_reason() -> None:
    pod = {
        "kind": "Pod",
        "spec": {"env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "A", "value": TOKEN}], "args": ["a", "--token", "geheim"]},
        "password": "geheim",
        "note": f"say {TOKEN}",
        "inner": json.dumps({"secretToken": "geheim"}),
    }
    assert why(pod) == {
        "spec.env[0].value": "names",
        "spec.env[1].value": "github",
        "spec.args[2]": "arguments",
        "password": "names",
        "note": "github",
        "inner.(JSON).secretToken": "names",
    }


def test_a_secret_and_what_repeats_it() -> None:
    secret = {"kind": "Secret", "metadata": {"annotations": {"note": f"it is {RANDOM}"}}, "data": {"a": b64(RANDOM)}}
    assert why(secret) == {"metadata.annotations.note": "known", "data.a": "secret"}
    assert why(json.dumps(secret).encode(), YAML) == {"metadata.annotations.note": "known", "data.a": "secret"}
    assert why(enveloped("Secret", field(2, field(1, "a") + field(2, RANDOM))), PROTOBUF) == {"data.a": "secret"}


def test_texts_have_lines_and_columns() -> None:
    assert why(f"one\n  see {TOKEN}\npassword=x1\n".encode(), TEXT) == {
        "line 2, column 7": "github",
        "line 3, column 10": "line",
    }


def test_what_cannot_be_read_is_masked_whole() -> None:
    assert why(b'{"password": ') == {"all of it": "whole"}


def test_own_patterns_and_fields_are_named() -> None:
    own = Masking((Pattern("acme", b"acme_[a-z]{8}"), *PATTERNS), (Field(("spec", "*"), "Database", "spec.*"),))
    assert why({"kind": "Database", "spec": {"a": "blue"}, "b": "acme_abcdefgh"}, JSON, own) == {"spec.a": "field spec.*", "b": "acme"}


@pytest.mark.parametrize("data", [{"a": TOKEN}, {"kind": "Secret", "data": {"a": b64(RANDOM)}}])
def test_no_reason_has_a_value(data: object) -> None:
    tried = Trial(b"k" * 32, BUILT_IN).of(json.dumps(data).encode(), JSON)
    assert not any(value in str(tried.reasons) for value in (TOKEN, RANDOM, b64(RANDOM)))
    assert b"~masked-" in tried.masked
