from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.collector.mask.fingerprint import STAND_IN, Fingerprint
from chaperone.collector.mask.patterns import compiled
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.url import mask_url

FINGERPRINT = Fingerprint(b"k" * 32)
TEXTS = Texts(FINGERPRINT)
EXEC = "/api/v1/namespaces/default/pods/web/exec?"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.GO_2R4rh8KufMBcmL0kdTKJO9dFM3T0"
PARTS = compiled(STAND_IN)


def masked(target: str) -> str:
    return mask_url(TEXTS, target)


@pytest.mark.parametrize(
    "target",
    [
        EXEC + "command=mysql&command=-pZq7xWv3p&container=c",
        EXEC + "command=env&command=PGPASSWORD%3DZq7xWv3p&command=psql",
        EXEC + "command=sh&command=-c&command=export+TOKEN%3DZq7xWv3p%3B+run",
        EXEC + "command=tool&command=--password&command=Zq7xWv3p",
        "/run/default/web/c?cmd=mysql+-pZq7xWv3p",
        "/api/v1/namespaces/d/services/s/proxy/x?access_token=Zq7xWv3p&b=c",
        "/x?X-Amz-Signature=Zq7xWv3p&X-Amz-Security-Token=Zq7xWv3p",
        "/x?%74oken=Zq7xWv3p",
        "/x?token=Zq7xWv3p=Zq7xWv3p",
        "/api/v1/namespaces/d/services/s/proxy/password=Zq7xWv3p+Zq7x/y",
        "/x?password%3DZq7xWv3p",
        "/x?url=https%3A%2F%2Fbob%3AZq7xWv3p%40h%2F",
    ],
)
def test_a_secret_in_a_query_is_replaced(target: str) -> None:
    assert "Zq7x" not in masked(target)
    assert masked(masked(target)) == masked(target)


def test_every_byte_outside_the_secret_stays() -> None:
    target = EXEC + "command=%6dysql&command=-p%5Aq7xWv3p&x=%2F+%20&&stdin=true&"
    before, _, after = target.partition("%5Aq7xWv3p")
    assert masked(target).startswith(before + "~masked-8-")
    assert masked(target).endswith("~" + after)


def test_a_token_in_a_path_is_replaced() -> None:
    assert masked(f"/api/v1/namespaces/d/services/s/proxy/login/{JWT}/x").endswith("~/x")


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/namespaces/default/secrets/web?resourceVersion=0&watch=true&timeoutSeconds=300",
        "/api/v1/pods?limit=500&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTIzNH0",
        "/apis/apps/v1/namespaces/default/deployments?fieldSelector=metadata.name%3Dweb&labelSelector=app%3Dweb",
        EXEC + "command=tar&command=cf&command=-&command=%2Fetc%2Fpasswd&container=c&stdout=true",
        EXEC + "command=mkdir&command=-p&command=%2Fx",
        "/openapi/v3?hash=0123456789ABCDEF",
        "*",
        "",
        "/x?token=",
        "/x?token",
    ],
)
def test_innocent_targets_stay(target: str) -> None:
    assert masked(target) is target


@given(
    st.lists(st.tuples(st.sampled_from(["a", "command", "token", "x%20y", ""]), st.text(max_size=12)), max_size=5),
    st.sampled_from([quote, quote_plus, str]),
)
@settings(max_examples=150)
def test_only_spans_are_replaced_whatever_the_query(fields: list[tuple[str, str]], escape: object) -> None:
    assert callable(escape)
    target = "/p?" + "&".join(f"{name}={escape(value)}" for name, value in fields)
    pieces = PARTS.split(masked(target).encode("utf-8", "surrogatepass"))
    position = 0
    raw = target.encode("utf-8", "surrogatepass")
    for piece in pieces:
        start = raw.find(piece, position)
        assert start >= 0
        position = start + len(piece)
