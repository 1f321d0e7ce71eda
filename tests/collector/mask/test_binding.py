"""An approval is for these bytes and no others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.masking import make_body, make_call

from chaperone.collector.kube.call import Call, User, UserSource
from chaperone.collector.mask.binding import UNBOUND, binding
from chaperone.collector.mask.masker import Masker
from chaperone.collector.wire.exchange import Gap, Phase

KEY = b"k" * 32
ROLE = b'{"kind":"ClusterRole","metadata":{"name":"all"},"rules":[{"verbs":["*"]}]}'
CALL = make_call(
    method="POST",
    request_uri="/apis/rbac.authorization.k8s.io/v1/clusterroles?fieldManager=kubectl",
    request_headers=(("content-type", "application/json"), ("authorization", "Bearer opaque"), ("kubectl-session", "one")),
    request_body=make_body(ROLE),
    user=User("", UserSource.UNKNOWN, "", ("a",), "", (("k", "v"),)),
)
HEADERS = dict(CALL.request_headers)


def sent(**changed: str) -> dict[str, Any]:
    return {"request_headers": tuple((HEADERS | {name.replace("_", "-"): value for name, value in changed.items()}).items())}


def user(**changed: Any) -> dict[str, Any]:
    return {"user": replace(CALL.user, **changed)}


OTHERS: dict[str, dict[str, Any]] = {
    "method": {"method": "PUT"},
    "authority": {"authority": "10.0.0.2:443"},
    "uri": {"request_uri": CALL.request_uri + "x"},
    "content type": sent(content_type="application/yaml"),
    "coding": sent(content_encoding="gzip"),
    "credential": sent(authorization="Bearer other"),
    "credential of a websocket": sent(sec_websocket_protocol="base64url.bearer.authorization.k8s.io.eA"),
    "claimed": user(name="jane", source=UserSource.CLAIMED),
    "impersonated": user(impersonated="admin"),
    "group": user(impersonated_groups=("a", "b")),
    "groups glued": user(impersonated_groups=("ab",)),
    "uid": user(impersonated_uid="1"),
    "extra": user(impersonated_extra=(("kv", ""),)),
    "no body": {"request_body": None},
    "empty body": {"request_body": make_body(b"")},
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_request_has_another_digest(what: str) -> None:
    assert binding(replace(CALL, **OTHERS[what]), KEY) not in (binding(CALL, KEY), UNBOUND)


@given(st.integers(0, len(ROLE) - 1), st.integers(1, 255))
def test_one_changed_byte_of_the_body_is_another_request(at: int, flip: int) -> None:
    assert CALL.request_body
    data = bytearray(ROLE)
    data[at] ^= flip
    body = replace(CALL.request_body, data=bytes(data))
    assert binding(replace(CALL, request_body=body), KEY) != binding(CALL, KEY)


PARTS = st.tuples(st.text(max_size=4), st.text(max_size=4), st.lists(st.text(max_size=3), max_size=3), st.binary(max_size=4))


@given(PARTS, PARTS)
def test_no_two_requests_have_one_digest(first: Any, second: Any) -> None:
    def made(parts: tuple[str, str, list[str], bytes]) -> Call:
        uri, name, groups, data = parts
        who = User(name, UserSource.CLAIMED, "", tuple(groups))
        return replace(CALL, request_uri=uri, user=who, request_body=replace(make_body(b"{}"), data=data, size=len(data)))

    assert (binding(made(first), KEY) == binding(made(second), KEY)) == (first == second)


SAME: dict[str, dict[str, Any]] = {
    "another stream and time": {"position": 77, "started": 99, "bytes_out": 5, "protocol": "http/1.1"},
    "the answer": {"code": 403, "complete": False, "gaps": (Gap("in", 1, 1, "lost"),)},
    "a header that changes nothing": sent(kubectl_session="two"),
}


@pytest.mark.parametrize("what", SAME)
def test_what_makes_no_other_request_does_not_count(what: str) -> None:
    assert binding(replace(CALL, **SAME[what]), KEY) == binding(CALL, KEY) != UNBOUND


def test_a_token_that_is_renewed_is_the_same_user() -> None:
    claimed = replace(CALL, **user(name="jane", source=UserSource.CLAIMED))
    assert binding(replace(claimed, **sent(authorization="Bearer renewed")), KEY) == binding(claimed, KEY)


TORN: dict[str, Callable[[Call], Call]] = {
    "not whole yet": lambda call: replace(call, requested=None),
    "a hole": lambda call: replace(call, gaps=(Gap("out", 3, 1, "lost"),)),
    "a body that was not kept": lambda call: replace(call, request_body=make_body(b"\x00\x01", "application/x-unknown")),
    "a body cut off": lambda call: replace(call, request_body=replace(make_body(ROLE), complete=False)),
    "a header whose value is unknown": lambda call: replace(call, request_headers=(("content-type", None),)),
    "a header whose name is unknown": lambda call: replace(call, request_headers=((None, "x"),)),
}


@pytest.mark.parametrize("what", TORN)
def test_what_is_not_known_whole_is_bound_to_nothing(what: str) -> None:
    call = TORN[what](CALL)
    if what == "a body that was not kept" and call.request_body:
        call = replace(call, request_body=replace(call.request_body, data=b""))
    assert binding(call, KEY) == UNBOUND


def test_the_digest_depends_on_the_key_and_is_the_same_in_every_report() -> None:
    assert binding(CALL, b"x" * 32) != binding(CALL, KEY)
    masker = Masker(KEY)
    first = masker.call(replace(CALL, phase=Phase.REQUEST, ended=None, code=None))
    assert first.binding == masker.call(CALL).binding == Masker(KEY).call(CALL).binding == binding(CALL, KEY)
