"""List, then watch: the objects of one kind as they are now and as they change, for ever.

What a list does not have any more is told as gone: so nothing stays that went while nobody watched. A watch goes on where the
last one ended; when the server has forgotten that place (410), everything is listed again.
"""

import http.client
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from chaperone.agent.cluster.api import GONE, WATCH_S, Access, ApiError, listed, watched

PAGE = 500
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
Key = tuple[str, str]


@dataclass(slots=True)
class Kind:
    """What is asked for. `told` is called with an object, or with the key of one that is gone; `finished`: a list is complete;
    `failed`: why nothing is heard now."""

    path: str
    query: dict[str, str]
    told: Callable[[Key, dict[str, Any] | None], None]
    finished: Callable[[], None]
    failed: Callable[[int, str], None]


@dataclass(slots=True)
class Watch:
    """One kind's. `access` gives the credentials of the moment."""

    kind: Kind
    access: Callable[[], Access]
    pause: Callable[[float], None] = time.sleep
    known: set[Key] = field(default_factory=set)
    failures: int = 0

    def run(self) -> None:
        """For ever."""
        while True:
            self.turn()

    def turn(self) -> None:
        """A list and the watches that follow it, until one of them fails."""
        try:
            version = self._list()
            self.kind.finished()
            while version:
                self.failures = 0
                version = self._follow(version)
        except ApiError as error:
            self._failed(error.status, str(error))
        except (OSError, http.client.HTTPException) as error:
            self._failed(0, f"the API server can't be reached ({type(error).__name__})")

    def _list(self) -> str:
        """Everything there is; the version behind it."""
        found: set[Key] = set()
        more, version = "", ""
        while more or not version:
            page = listed(self.access(), self._url({"limit": str(PAGE)} | ({"continue": more} if more else {})))
            for item in _items(page):
                found.add(key := _key(item))
                self.kind.told(key, item)
            about = page.get("metadata")
            more, version = _text(about, "continue"), _text(about, "resourceVersion")
            if not version:
                raise ApiError(0, "a list has no version")
        for key in self.known - found:
            self.kind.told(key, None)
        self.known = found
        return version

    def _follow(self, version: str) -> str:
        """One watch; the version it came to, "" when everything must be listed again."""
        options = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_S)}
        began = version
        for event in watched(self.access(), self._url(options)):
            item = event.get("object")
            if event.get("type") == "ERROR":
                raise ApiError(_code(item), "the API server ended a watch")
            if isinstance(item, dict):
                self._take(event.get("type"), item)
                version = _text(item.get("metadata"), "resourceVersion") or version
        if version == began:
            self.pause(BACKOFF_S[1])  # a server that ends each watch at once is not asked at once
        return version

    def _take(self, what: object, item: dict[str, Any]) -> None:
        if what in ("ADDED", "MODIFIED"):
            self.known.add(_key(item))
            self.kind.told(_key(item), item)
        elif what == "DELETED":
            self.known.discard(_key(item))
            self.kind.told(_key(item), None)

    def _failed(self, status: int, why: str) -> None:
        if status == GONE:
            self.pause(BACKOFF_S[0])
            return
        self.kind.failed(status, why)
        limit = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.failures += 1
        self.pause(limit * random.uniform(0.5, 1.0))  # the nodes of a cluster shall not come back together

    def _url(self, options: dict[str, str]) -> str:
        return f"{self.kind.path}?{urlencode(self.kind.query | options)}"


def _items(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    items = page.get("items")
    yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _key(item: dict[str, Any]) -> Key:
    about = item.get("metadata")
    return _text(about, "namespace"), _text(about, "name")


def _code(status: object) -> int:
    code = status.get("code") if isinstance(status, dict) else 0
    return code if isinstance(code, int) else 0


def _text(of: object, name: str) -> str:
    value = of.get(name) if isinstance(of, dict) else None
    return value if isinstance(value, str) else ""
