"""List and watch against a server over TLS: nothing that was there is missed, nothing that went stays."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from support.pod_api import PodApi, pod, pod_api

from chaperone.agent.cluster.api import Access, ApiError, listed
from chaperone.agent.cluster.watch import Key, Kind, Watch

PODS = "/api/v1/pods"


class EndedError(Exception):
    """Nobody listens any more."""


class Listener:
    """What a watch told: `now` by key, and how often it had all and none."""

    def __init__(self, api: PodApi) -> None:
        self.api, self.now, self.gone = api, dict[Key, str](), list[Key]()
        self.finished = 0
        self.troubles: list[tuple[int, str]] = []
        kind = Kind(PODS, {"fieldSelector": "spec.nodeName=n1"}, self._told, self._finished, self._failed)
        self.watch = Watch(kind, self._access, pause=self._pause)
        self._ended, self._thread = Event(), Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """After the server: what is watched fails then."""
        self._ended.set()
        if self._thread.ident:
            self._thread.join(60)
            assert not self._thread.is_alive()

    def _run(self) -> None:
        with suppress(EndedError):
            self.watch.run()

    def _pause(self, seconds: float) -> None:
        if self._ended.wait(min(seconds, 0.02)):
            raise EndedError

    def _access(self) -> Access:
        authorities = (self.api.directory / "ca.crt").read_text()
        return Access("127.0.0.1", self.api.port, authorities, (self.api.directory / "token").read_text())

    def _told(self, key: Key, item: dict[str, Any] | None) -> None:
        if item is None:
            self.now.pop(key, None)
            self.gone.append(key)
        else:
            self.now[key] = item["metadata"]["uid"]

    def _finished(self) -> None:
        self.finished += 1

    def _failed(self, status: int, why: str) -> None:
        self.troubles.append((status, why))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[PodApi, Listener]]:
    with pod_api(tmp_path) as api:
        listener = Listener(api)
        yield api, listener
    listener.end()


@pytest.fixture
def api(made: tuple[PodApi, Listener]) -> PodApi:
    return made[0]


@pytest.fixture
def listener(made: tuple[PodApi, Listener]) -> Listener:
    return made[1]


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_there_comes_first_then_what_changes(api: PodApi, listener: Listener) -> None:
    api.put(PODS, pod("a", "u1"))
    listener.start()
    until(lambda: listener.finished)
    assert listener.now == {("demo", "a"): "u1"}
    api.put(PODS, pod("b", "u2"))
    api.put(PODS, pod("a", "u3"))
    until(lambda: listener.now == {("demo", "a"): "u3", ("demo", "b"): "u2"})
    api.remove(PODS, "demo", "a")
    until(lambda: listener.now == {("demo", "b"): "u2"})
    assert api.lists(PODS) == 1 and {query["fieldSelector"] for _, query in api.asked} == {"spec.nodeName=n1"}


def test_a_list_of_many_pages_is_read_whole(api: PodApi, listener: Listener) -> None:
    api.page = 3
    for number in range(10):
        api.put(PODS, pod(f"p{number}", f"u{number}"))
    listener.start()
    until(lambda: listener.finished)
    assert len(listener.now) == 10 and api.lists(PODS) == 4


def test_a_watch_that_ends_goes_on_where_it_was(api: PodApi, listener: Listener) -> None:
    listener.start()
    until(lambda: listener.finished)
    api.put(PODS, pod("a", "u1"))
    until(lambda: listener.now)
    api.hang_up()
    api.put(PODS, pod("b", "u2"))
    until(lambda: len(listener.now) == 2)
    assert api.lists(PODS) == 1 and not listener.troubles


def test_behind_a_version_that_is_too_old_all_is_listed_again(api: PodApi, listener: Listener) -> None:
    for name in ("a", "b"):
        api.put(PODS, pod(name, f"u-{name}"))
    listener.start()
    until(lambda: listener.finished)
    with api._changed:  # both happen while nobody watches
        api._objects[PODS].pop(("demo", "a"))
    api.forget()
    until(lambda: listener.now == {("demo", "b"): "u-b"})
    assert listener.gone == [("demo", "a")] and listener.finished == 2 and not listener.troubles


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_server_that_refuses_is_said_and_asked_again(api: PodApi, listener: Listener, status: int) -> None:
    api.refuses = status
    listener.start()
    until(lambda: len(listener.troubles) > 3)
    assert set(listener.troubles) == {(status, f"the API server answers {status}")}
    api.put(PODS, pod("a", "u1"))
    api.refuses = 0
    until(lambda: listener.now == {("demo", "a"): "u1"})


@pytest.mark.parametrize("garbage", [b"no json\n", b'["no object"]\n', b"[" * 100_000 + b"\n", b'{"type": "ERROR", "object": 7}\n'])
def test_what_makes_no_sense_begins_all_again(api: PodApi, listener: Listener, garbage: bytes) -> None:
    api.put(PODS, pod("a", "u1"))
    listener.start()
    until(lambda: listener.finished)
    with api._changed:
        api.garbage = garbage
        api._changed.notify_all()
    until(lambda: listener.finished == 2)
    assert len(listener.troubles) == 1 and listener.now == {("demo", "a"): "u1"}


def test_items_without_names_harm_nothing(api: PodApi, listener: Listener) -> None:
    api.put(PODS, pod("a", "u1"))
    with api._changed:
        api._objects[PODS]["", "odd"] = {"metadata": 5}
        api._objects[PODS]["", "text"] = "a pod"  # type: ignore[assignment]
    listener.now["", ""] = "kept out of the way"
    listener.watch.kind.told = lambda key, item: None if key == ("", "") else listener._told(key, item)
    listener.start()
    until(lambda: listener.finished)
    assert listener.now[("demo", "a")] == "u1"


def test_nobody_else_is_taken_for_the_server(api: PodApi, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pod_api(other) as stranger:
        access = Access("127.0.0.1", stranger.port, (api.directory / "ca.crt").read_text(), "secret")
        with pytest.raises(OSError, match="certificate verify failed"):
            listed(access, PODS)
        assert stranger.asked == [], "nor given the token"


def test_a_page_without_a_version_is_no_list(api: PodApi, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "listed", lambda path, query: {"items": []})
    listener.start()
    until(lambda: listener.troubles)
    assert not listener.finished
    with pytest.raises(ApiError):
        listener.watch._list()
