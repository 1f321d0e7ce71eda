"""Request headers → who calls, as far as the wire says. Nothing is verified.

Sources: apiserver pkg/authentication/request/bearertoken, request/websocket (protocol.go), endpoints/filters/impersonation.go,
plugin bootstrap token authenticator. A header block joined late has unknown names or values (None): then a missing
credential means nothing.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from chaperone.collector.kube.call import User, UserSource
from chaperone.collector.kube.url.target import text_of, unescape, wire_bytes
from chaperone.collector.wire.events import Header

ANONYMOUS = "system:anonymous"
TOKEN_LIMIT = 64 * 1024  # bytes of a JWT that is looked into
USER_AGENT_LIMIT = 1024  # apiserver pkg/audit/request.go
_BOOTSTRAP = re.compile(r"([a-z0-9]{6})\.[a-z0-9]{16}\Z")
_PROTOCOL_TOKEN = "base64url.bearer.authorization.k8s.io."
_EXTRA = "impersonate-extra-"
_QUOTED_USER = re.compile(r'User "((?:[^"\\]|\\.)*)" cannot ')
UNKNOWN = User("", UserSource.UNKNOWN)

Headers = dict[str, list[str]]


def known(headers: Iterable[Header]) -> tuple[Headers, frozenset[str], bool]:
    """Headers by name; the names whose value is unknown; whether a name is unknown."""
    found: Headers = {}
    hidden: set[str] = set()
    nameless = False
    for name, value in headers:
        if name is None:
            nameless = True
        elif value is None:
            hidden.add(name)
        else:
            found.setdefault(name, []).append(value)
    return found, frozenset(hidden), nameless


def user_of(headers: Headers, hidden: frozenset[str], nameless: bool) -> User:
    """Who the request says it is from, and whom it impersonates."""
    token = bearer(headers)
    if token:
        name, source = _claim(token)
    elif nameless or not hidden.isdisjoint(("authorization", "sec-websocket-protocol")):
        name, source = "", UserSource.UNKNOWN
    else:
        name, source = ANONYMOUS, UserSource.UNKNOWN
    if not any(header.startswith("impersonate-") for header in headers):
        return User(name, source)
    return User(name, source, *_impersonation(headers))


def bearer(headers: Headers) -> str:
    """The bearer token of the first Authorization header, else of a WebSocket's protocol list."""
    parts = headers.get("authorization", [""])[0].strip().split(" ", 2)
    if len(parts) > 1 and parts[0].lower() == "bearer" and parts[1]:
        return parts[1]
    offered = ",".join(headers.get("sec-websocket-protocol", ())).split(",")
    encoded = next((item.strip() for item in offered if item.strip().startswith(_PROTOCOL_TOKEN)), "")
    return (_base64url(encoded.removeprefix(_PROTOCOL_TOKEN)) or b"").decode("latin-1") if encoded else ""


def user_agent(headers: Headers) -> str:
    """As the audit log has it: cut when it is too long."""
    raw = wire_bytes(headers.get("user-agent", [""])[0])
    return text_of(raw) if len(raw) <= USER_AGENT_LIMIT else text_of(raw[:USER_AGENT_LIMIT]) + "...TRUNCATED"


def renamed(user: User, name: str) -> User:
    """The same user under another name, which nobody vouches for."""
    return replace(user, name=name, source=UserSource.UNKNOWN)


def refused_user(message: str) -> str:
    """Whom a 403's message names: `User "nobody" cannot list …` is the effective user; "" if nobody."""
    found = _QUOTED_USER.search(message)
    return found[1].replace('\\"', '"').replace("\\\\", "\\") if found else ""


def _impersonation(headers: Headers) -> tuple[str, tuple[str, ...], str, tuple[tuple[str, str], ...]]:
    extra = [
        (text_of(unescape(wire_bytes(name.removeprefix(_EXTRA)))), value)
        for name, values in headers.items()
        if name.startswith(_EXTRA)
        for value in values
    ]
    first = {name: headers.get(f"impersonate-{name}", [""])[0] for name in ("user", "uid")}
    return first["user"], tuple(headers.get("impersonate-group", ())), first["uid"], tuple(extra)


@lru_cache(maxsize=8)
def _claim(token: str) -> tuple[str, UserSource]:
    """A JWT's `sub`, a bootstrap token's user; any other token is opaque."""
    if bootstrap := _BOOTSTRAP.match(token):
        return f"system:bootstrap:{bootstrap[1]}", UserSource.CLAIMED
    subject = claims(token).get("sub")
    return (subject, UserSource.CLAIMED) if isinstance(subject, str) and subject else ("", UserSource.UNKNOWN)


def claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, {} if it is none. Not verified."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > TOKEN_LIMIT:
        return {}
    try:
        found = orjson.loads(_base64url(parts[1]) or b"")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _base64url(text: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return None
