import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube import identity
from chaperone.collector.kube.call import User, UserSource
from chaperone.collector.wire.events import Header

SUBJECT = "system:serviceaccount:default:agent"


def jwt(claims: object) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


def user(*headers: Header) -> User:
    return identity.user_of(*identity.known(headers))


TOKEN = jwt({"sub": SUBJECT, "iss": "https://kubernetes.default.svc"})


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"  BEARER {TOKEN} trailing"])
def test_a_jwt_claims_its_subject(value: str) -> None:
    assert user(("authorization", value)) == User(SUBJECT, UserSource.CLAIMED)


def test_a_websocket_may_carry_the_token_in_its_protocols() -> None:
    encoded = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    offered = f"v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.{encoded}"
    assert user(("sec-websocket-protocol", offered)).name == SUBJECT


@pytest.mark.parametrize(
    ("token", "name", "source"),
    [
        ("abcdef.0123456789abcdef", "system:bootstrap:abcdef", UserSource.CLAIMED),
        ("opaque-static-token", "", UserSource.UNKNOWN),
        ("k8s-aws-v1.aHR0cHM6", "", UserSource.UNKNOWN),
        ("a.b.c", "", UserSource.UNKNOWN),
        (jwt({"email": "a@b"}), "", UserSource.UNKNOWN),
        (jwt({"sub": 7}), "", UserSource.UNKNOWN),
        (jwt(["sub"]), "", UserSource.UNKNOWN),
    ],
)
def test_other_tokens(token: str, name: str, source: UserSource) -> None:
    assert user(("authorization", f"Bearer {token}")) == User(name, source)


@pytest.mark.parametrize(
    "headers", [(), (("authorization", "Basic YTpi"),), (("authorization", "Bearer "),), (("authorization", "Bearer"),)]
)
def test_no_credential_is_anonymous_but_a_certificate_may_speak_for_it(headers: tuple[Header, ...]) -> None:
    assert user(*headers) == User("system:anonymous", UserSource.UNKNOWN)


@pytest.mark.parametrize("header", [(None, None), (None, "x"), ("authorization", None)])
def test_what_a_late_joiner_does_not_know_is_not_absent(header: Header) -> None:
    assert user(header) == User("", UserSource.UNKNOWN)
    assert user(("user-agent", None)) == User("system:anonymous", UserSource.UNKNOWN)


def test_impersonation_keeps_the_real_user() -> None:
    found = user(
        ("authorization", f"Bearer {TOKEN}"),
        ("impersonate-user", "nobody"),
        ("impersonate-group", "a"),
        ("impersonate-group", "b"),
        ("impersonate-uid", "42"),
        ("impersonate-extra-acme.com%2fproject", "x"),
        ("impersonate-extra-acme.com%2fproject", "y"),
        ("impersonate-extra-bad%zz", "z"),
    )
    extra = (("acme.com/project", "x"), ("acme.com/project", "y"), ("bad%zz", "z"))
    assert found == User(SUBJECT, UserSource.CLAIMED, "nobody", ("a", "b"), "42", extra)


def test_a_long_user_agent_is_cut_as_in_the_audit_log() -> None:
    assert identity.user_agent({"user-agent": ["a" * 1024]}) == "a" * 1024
    assert identity.user_agent({"user-agent": ["a" * 1025]}) == "a" * 1024 + "...TRUNCATED"
    assert identity.user_agent({}) == ""


def test_a_refusal_names_the_user_that_the_server_sees() -> None:
    assert identity.refused_user('secrets is forbidden: User "system:anonymous" cannot list resource "secrets"') == "system:anonymous"
    assert identity.refused_user('User "CN=a \\"b\\"" cannot get path') == 'CN=a "b"'
    assert identity.refused_user("admission webhook denied it") == ""


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_header_gives_a_user(authorization: str, protocols: str) -> None:
    assert user(("authorization", authorization), ("sec-websocket-protocol", protocols)).source in UserSource
    assert user(("authorization", f"Bearer {authorization}.{protocols}.x")).source in UserSource
