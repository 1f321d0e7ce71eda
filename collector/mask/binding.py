"""What an approval is bound to: a keyed digest of a request as it was sent, taken before anything of it is masked.

Method, authority, requestURI, content type and coding, effective user and body: one byte of these changed, and it is another
request. The key keeps a short secret in a body from being guessed by its digest.
"""

import hashlib
from collections.abc import Iterator

from chaperone.collector.kube.call import Body, Call, User, UserSource
from chaperone.collector.kube.identity import known

PERSON = b"chaperone-bound"
UNBOUND = ""  # of a request that is not here whole: nobody could say what is approved
_READ_AS = ("content-type", "content-encoding")


def binding(call: Call, key: bytes) -> str:
    """The digest, 64 hex digits; UNBOUND of a request that is not here whole. It depends on nothing that comes later."""
    headers, hidden, nameless = known(call.request_headers)
    if call.requested is None or _is_torn(call) or hidden or nameless or not _is_here(call.request_body):
        return UNBOUND
    digest = hashlib.blake2b(key=key[:64], digest_size=32, person=PERSON)
    for part in _parts(call, headers):
        encoded = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _is_torn(call: Call) -> bool:
    return any(gap.direction == "out" for gap in call.gaps)


def _is_here(body: Body | None) -> bool:
    return body is None or (body.complete and len(body.data) == body.size)


def _parts(call: Call, headers: dict[str, list[str]]) -> Iterator[str | bytes]:
    """Each with its length before it, lists with their count: no two requests give the same bytes."""
    yield from (call.method, call.authority, call.request_uri)
    for name in _READ_AS:
        values = headers.get(name, [])
        yield from (str(len(values)), *values)
    yield from _user(call.user, headers)
    yield "body" if call.request_body else "no body"
    yield call.request_body.data if call.request_body else b""


def _user(user: User, headers: dict[str, list[str]]) -> Iterator[str]:
    """By the name that a credential claims, which outlives the token; by the credential itself where it names nobody."""
    yield from (user.source, user.name)
    shown = [] if user.source is UserSource.CLAIMED else headers.get("authorization", []) + headers.get("sec-websocket-protocol", [])
    yield from (str(len(shown)), *shown)
    yield from (user.impersonated, user.impersonated_uid, str(len(user.impersonated_groups)), *user.impersonated_groups)
    yield str(len(user.impersonated_extra))
    for pair in user.impersonated_extra:
        yield from pair
