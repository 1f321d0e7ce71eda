"""Policies as objects of the API: listed, watched, listed again when the watch is too old (410), and told what became of them.

In a thread of its own: an API that hangs keeps nobody waiting. Only these objects are asked for, and only their status is changed.
"""

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import NAME, UnansweredError, answered, json_object
from chaperone.collector.parts import mapping, mappings, text

PATH = "/apis/chaperone.dev/v1/policies"
LIST_LIMIT = 64 << 20  # bytes of all of them
LINE_LIMIT = 4 << 20  # of one event; etcd keeps no larger object
TIMEOUT_S = 10.0
WATCH_S = 240  # the API server ends a watch after this time; a connection that died unseen is noticed a little later
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
TOO_OLD = 410
Object = Mapping[str, Any]
Objects = dict[str, Object]


class _TooOldError(Exception):
    """What is watched has to be listed again."""


@dataclass(slots=True)
class PolicyObjects:
    """`changed` is given all that there are, by name, whenever they are others; `noted` those statuses that are. `log`: that the API
    stops answering, or does again."""

    access: Access
    changed: Callable[[Objects], object]
    log: Callable[[str], None]
    noted: Callable[[Mapping[str, Object]], object] = lambda _: None
    pauses_s: tuple[float, ...] = PAUSES_S
    problem: str = "they have not been listed yet"
    _over: threading.Event = field(default_factory=threading.Event)
    _objects: Objects = field(default_factory=dict)

    def start(self) -> None:
        """Until `close`."""
        threading.Thread(target=self._run, name="policies", daemon=True).start()

    def close(self) -> None:
        """Nobody is told any more."""
        self._over.set()

    def tell(self, name: str, status: Mapping[str, Any]) -> None:
        """Write an object's status; nothing happens where it is gone. UnansweredError."""
        if not NAME.fullmatch(name):
            return
        patch = orjson.dumps([{"op": "add", "path": "/status", "value": status}])
        with answered(self.access, f"{PATH}/{name}/status", TIMEOUT_S, patch) as answer:
            answer.read(LINE_LIMIT)
        if answer.status not in (http.client.OK, http.client.NOT_FOUND):
            raise UnansweredError(f"{self.access.url} answered {answer.status} to the status of policy {name}", is_down=False)

    def _run(self) -> None:
        failures = 0
        while not self._over.is_set():
            try:
                version = self._list()
                failures = 0
                while not self._over.is_set():
                    version = self._watch(version)
            except _TooOldError:
                continue
            except UnansweredError as error:
                self._note(str(error))
                self._over.wait(self.pauses_s[min(failures, len(self.pauses_s) - 1)])
                failures += 1

    def _list(self) -> str:
        """All of them; the version from which on to watch."""
        with self._asked({}) as answer:
            found = json_object(answer.read(LIST_LIMIT + 1), LIST_LIMIT)
        if found is None:
            raise UnansweredError(f"{self.access.url} answered with something that is no list", is_down=False)
        self._use({_name(one): one for one in mappings(found, "items") if _name(one)})
        self._note("")
        return text(mapping(found, "metadata"), "resourceVersion")

    def _watch(self, version: str) -> str:
        """Until the API server ends it; the version to go on from."""
        wanted = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_S)}
        with self._asked(wanted, WATCH_S + 30) as answer:
            for event in _events(answer):
                one = mapping(event, "object")
                if text(event, "type") == "ERROR":
                    raise _TooOldError
                version = text(mapping(one, "metadata"), "resourceVersion") or version
                self._take(text(event, "type"), one)
                if self._over.is_set():
                    break
        return version

    def _take(self, kind: str, one: Object) -> None:
        name = _name(one)
        if kind == "DELETED":
            self._use({other: each for other, each in self._objects.items() if other != name})
        elif kind in ("ADDED", "MODIFIED") and name:
            self._use({**self._objects, name: one})

    def _use(self, objects: Objects) -> None:
        """A change of status is none."""
        if _told(objects) != _told(self._objects) or not self._objects:
            self.changed(objects)
        before, self._objects = self._objects, objects
        statuses = {name: mapping(one, "status") for name, one in objects.items()}
        if news := {name: status for name, status in statuses.items() if status != mapping(before.get(name, {}), "status")}:
            self.noted(news)

    @contextmanager
    def _asked(self, query: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Iterator[http.client.HTTPResponse]:
        """An answer that is none but good. UnansweredError, _TooOldError."""
        with answered(self.access, f"{PATH}?{urlencode(query)}" if query else PATH, timeout_s) as answer:
            if answer.status == TOO_OLD:
                raise _TooOldError
            if answer.status != http.client.OK:
                raise UnansweredError(f"{self.access.url} answered {answer.status} when it was asked for policies", is_down=False)
            yield answer

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            self.log(f"policies of the API are not known: {problem}" if problem else "policies of the API are known")
        self.problem = problem


def _events(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """One a line, until the answer ends."""
    while line := answer.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT or (event := json_object(line, LINE_LIMIT)) is None:
            raise ValueError("an event that is none")
        yield event


def _name(one: Object) -> str:
    return text(mapping(one, "metadata"), "name")


def _told(objects: Objects) -> dict[str, tuple[Any, Any]]:
    """What makes an object another: its uid and its generation, which changes of status leave as it is."""
    abouts = {name: mapping(one, "metadata") for name, one in objects.items()}
    return {name: (about.get("uid"), about.get("generation", about.get("resourceVersion"))) for name, about in abouts.items()}
