"""Is an exchange Kubernetes at all? By its authority, else by what only the Kubernetes API says.

`/healthz`, `/version`, `/api` and even `/api/v1/…` are other programs' paths too (a metrics database, a forge), so these
count only with a client or an answer that speaks Kubernetes, or on a stream that did so before.
"""

import re
from collections.abc import Iterable

from chaperone.collector.kube.identity import Headers
from chaperone.collector.kube.kinds import KINDS
from chaperone.collector.kube.path import split_path
from chaperone.collector.wire.events import Header

_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?\Z")
_CLIENT = re.compile(r"kubernetes|kubectl|kube-|kubelet|\bhelm\b|client-go|k9s|OpenAPI-Generator/", re.IGNORECASE)
_PATHS = re.compile(r"/*(?:(?:api|apis|openapi|version|healthz|livez|readyz|metrics|logs|debug|\.well-known|openid)(?:/|\Z)|\Z)")
_ACCEPT = ("application/vnd.kubernetes.protobuf", "apidiscovery.k8s.io", "g=meta.k8s.io")
_PREFIXES = ("watch", "proxy")
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_FIRST_BYTES = {b"{": "application/json", b"k": _PROTOBUF, b"\x00": _PROTOBUF}  # an envelope, a watch frame's length
UNKNOWN_TYPE = "the media type is not known, but guessed by the first byte"
NO_SIGN = "neither its address nor its path is the Kubernetes API's"


def is_apiserver(authority: str | None, apiservers: frozenset[str]) -> bool:
    """Is this authority one of the known ones? The default port may be left out."""
    name = (authority or "").lower()
    return bool(name) and (name in apiservers or f"{name}:443" in apiservers or name.removesuffix(":443") in apiservers)


def is_api_path(path: str) -> bool:
    """A path that is the Kubernetes API's and hardly anything else's."""
    parts = split_path(path)
    if len(parts) >= 3 and parts[0] == "apis":
        return bool(_VERSION.match(parts[2])) and ("." in parts[1] or parts[1] in ("apps", "batch", "autoscaling", "policy", "extensions"))
    return len(parts) >= 3 and parts[:2] == ["api", "v1"] and (parts[2] in KINDS or parts[2] in _PREFIXES)


def is_kubernetes_client(headers: Headers, path: str) -> bool:
    """A client that says it speaks Kubernetes, at a path an apiserver has."""
    if "kubectl-command" in headers or any(sign in value for value in headers.get("accept", ()) for sign in _ACCEPT):
        return True
    return bool(_PATHS.match(path)) and any(_CLIENT.search(agent) for agent in headers.get("user-agent", ()))


def is_apiserver_answer(headers: Headers) -> bool:
    """Headers that apiservers set."""
    return "audit-id" in headers or any(name.startswith("x-kubernetes-pf-") for name in headers)


def audit_id(known: Headers, sent: Iterable[Header]) -> str:
    """The Audit-Id. Joined late, its name is unknown but its value is a literal: a version 4 UUID, if there is just one."""
    if "audit-id" in known:
        return known["audit-id"][0]
    candidates = [value for name, value in sent if name is None and value and _UUID4.match(value)]
    return candidates[0] if len(candidates) == 1 else ""


def likely_type(start: bytes | memoryview) -> str:
    """The media type of a body whose header an HPACK table joined late hides, by its first byte."""
    return _FIRST_BYTES.get(bytes(start[:1]), "")


def likely_coding(start: bytes | memoryview) -> str:
    """The content coding of such a body: an apiserver only ever uses gzip (RFC 1952 §2.3.1)."""
    return "gzip" if bytes(start[:2]) == b"\x1f\x8b" else ""
