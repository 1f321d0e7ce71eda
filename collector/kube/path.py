"""Method and target → RequestInfo, by the apiserver's own rules.

Source: apiserver pkg/endpoints/request/requestinfo.go (NewRequestInfo), 1.36. The numbers in comments are the rules of
the wire facts. The object's name for a `create` is not here: the audit log takes it from the body (rule 12, `calls`).
"""

from chaperone.collector.kube.call import RequestInfo
from chaperone.collector.kube.url.query import list_options, values
from chaperone.collector.kube.url.target import Target

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PREFIX_VERBS = ("watch", "proxy")
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
EMPTY_SEGMENT = "an empty or dot segment in the path"


def request_info(method: str, target: Target) -> tuple[RequestInfo, tuple[str, ...]]:
    """What the apiserver reads, and why another reader may read something else."""
    parts = split_path(target.path)
    if not _is_resource(parts):  # rule 2
        return RequestInfo(method.lower(), False), target.doubts
    group = parts[1] if parts[0] == "apis" else ""  # rule 3
    at = 2 if parts[0] == "apis" else 1
    info, doubts = _resource_info(method, group, parts[at:], target.query)
    return info, target.doubts + _segment_doubts(parts, info) + doubts


def split_path(path: str) -> list[str]:
    """The segments; inner empty ones stay (rule 1)."""
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []


def _is_resource(parts: list[str]) -> bool:
    return len(parts) >= 3 and (parts[0] == "api" or (parts[0] == "apis" and len(parts) >= 4))


def _resource_info(method: str, group: str, parts: list[str], query: str) -> tuple[RequestInfo, tuple[str, ...]]:
    """`parts` from the version on."""
    version, rest = parts[0], parts[1:]
    verb = _VERBS.get(method, "")  # rule 5
    if rest[0] in _PREFIX_VERBS:  # rule 4
        if len(rest) < 2:  # the apiserver answers 500 before it audits
            return RequestInfo(method.lower(), True, group, version), ("a path of a verb only",)
        verb, rest = rest[0], rest[1:]
    namespace, rest = _namespace(rest)
    resource, name, subresource, *_ = (*rest, "", "", "")  # rule 7
    if verb == "proxy":
        subresource = ""
    verb, name, doubts = _collection_verb(verb, name, query)
    return RequestInfo(verb, True, group, version, resource, subresource, namespace, name), doubts


def _namespace(rest: list[str]) -> tuple[str, list[str]]:
    """Rule 6."""
    if rest[0] != "namespaces" or len(rest) < 2:
        return "", rest
    within = len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES
    return rest[1], rest[2:] if within else rest


def _collection_verb(verb: str, name: str, query: str) -> tuple[str, str, tuple[str, ...]]:
    """Rules 8 to 11."""
    if name or verb not in ("get", "delete"):
        return verb, name, ()
    if verb == "delete":
        return "deletecollection", "", ()
    if not query:
        return "list", "", ()
    pairs, doubts = values(query)
    options = list_options(pairs)
    return "watch" if options.watch else "list", options.name, doubts


def _segment_doubts(parts: list[str], info: RequestInfo) -> tuple[str, ...]:
    """Segments that a proxy in between may normalise; behind `proxy` the path is the backend's."""
    own = parts[: parts.index("proxy", 1)] if info.subresource == "proxy" else parts
    return (EMPTY_SEGMENT,) if not {"", ".", ".."}.isdisjoint(own) else ()
