"""What there is in a cluster: all pods, nodes, namespaces and runtime classes, as lists, by GETs over TLS in bounded size and time.

Asked for when somebody wants to know what is covered, never for a call.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import UnansweredError, answered, json_object

Object = Mapping[str, Any]
PAGE = 500
PAGE_LIMIT = 64 << 20  # bytes
TIMEOUT_S = 10.0  # to connect, and for each piece
ALL_S = 60.0
LISTS = {
    "pods": "/api/v1/pods",
    "nodes": "/api/v1/nodes",
    "namespaces": "/api/v1/namespaces",
    "runtimes": "/apis/node.k8s.io/v1/runtimeclasses",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """As the API had it a moment ago."""

    pods: tuple[Object, ...] = ()
    nodes: tuple[Object, ...] = ()
    namespaces: tuple[Object, ...] = ()
    runtimes: tuple[Object, ...] = ()


def cluster(access: Access) -> Cluster:
    """All of it. UnansweredError when a list is refused or takes too long."""
    deadline = time.monotonic() + ALL_S
    return Cluster(**{name: tuple(listed(access, path, deadline)) for name, path in LISTS.items()})


def listed(access: Access, path: str, deadline: float, query: Mapping[str, str] = {}) -> list[Object]:
    """All items. UnansweredError."""
    found: list[Object] = []
    more = "first"
    while more and time.monotonic() < deadline:
        options = {**query, "limit": PAGE} | ({} if more == "first" else {"continue": more})
        page = _page(access, f"{path}?{urlencode(options)}")
        items, about = page.get("items"), page.get("metadata")
        found += [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        more = str(about.get("continue") or "") if isinstance(about, dict) else ""
    if more:
        raise UnansweredError(f"{access.url} took longer than {ALL_S:.0f} s to list {path}", is_down=False)
    return found


def _page(access: Access, path: str) -> dict[str, Any]:
    with answered(access, path, TIMEOUT_S) as answer:
        body = answer.read(PAGE_LIMIT + 1)
    if answer.status != http.client.OK:
        raise UnansweredError(f"{access.url} answered {answer.status} to a list of {path.partition('?')[0]}", is_down=False)
    return _read(access, body)


def _read(access: Access, body: bytes) -> dict[str, Any]:
    if (found := json_object(body, PAGE_LIMIT)) is None:
        raise UnansweredError(f"{access.url} answered with something that is no list", is_down=False)
    return found
