"""A cache before the API: each pod asked for once a while, never waited for longer than a moment, an API that is down left alone."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lookup_api import LookupApi, lookup_api, pod

from chaperone.collector.lookup import pods as module
from chaperone.collector.lookup.access import access
from chaperone.collector.lookup.client import Client
from chaperone.collector.lookup.pods import FRESH_S, PAUSE_S, Pods

WEB, OTHER = ("default", "web"), ("default", "other")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LookupApi]:
    with lookup_api(tmp_path, pod("web", True)) as found:
        yield found


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def pods(api: LookupApi, clock: Clock, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Pods]:
    monkeypatch.setattr(module, "WAIT_S", 30.0)  # the machine may be slow
    found = Pods(Client(access(str(api.kubeconfig()), {}), timeout_s=30), said.append, clock)
    yield found
    found.close()


def test_a_pod_is_asked_for_once_while_it_is_fresh(pods: Pods, api: LookupApi, clock: Clock) -> None:
    assert pods.of([WEB]) == pods.of([WEB, WEB]) == {WEB: pod("web", True)}
    assert len(api.asked) == 1
    clock.now += FRESH_S + 1
    api.pods["default/web"] = pod("web", False)
    assert pods.of([WEB]) == {WEB: pod("web", False)} and len(api.asked) == 2


def test_one_that_is_not_there_may_be_made_at_any_moment(pods: Pods, api: LookupApi) -> None:
    assert pods.of([OTHER]) == {}
    api.pods["default/other"] = pod("other", False)
    assert OTHER in pods.of([OTHER])


def test_an_api_that_is_down_is_left_alone_for_a_while_and_said_once(pods: Pods, api: LookupApi, clock: Clock, said: list[str]) -> None:
    api.status = 500
    assert [pods.of([WEB]), pods.of([WEB]), pods.of([OTHER])] == [{}, {}, {}]
    assert len(api.asked) == 1 and len(said) == 1 and "answered 500" in said[0] and "unknown until it does" in said[0]
    clock.now += PAUSE_S + 1
    api.status = 0
    assert WEB in pods.of([WEB]) and said[1].endswith("answers look-ups again")
    assert pods.status() == f"https://127.0.0.1:{api.port}: 1 answered, 1 not"


def test_a_refusal_is_no_reason_to_stop_asking_for_others(pods: Pods, api: LookupApi) -> None:
    api.status = 403
    assert pods.of([WEB]) == {}
    assert "403" in pods.status()
    api.status = 0
    assert WEB in pods.of([WEB])


def test_a_slow_answer_is_not_waited_for_and_is_there_the_next_time(pods: Pods, api: LookupApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.gate.clear()
    monkeypatch.setattr(module, "WAIT_S", 0.05)
    assert pods.of([WEB]) == {}
    assert pods.of([WEB]) == {}, "it is asked once"
    api.gate.set()
    deadline = time.monotonic() + 30
    while not pods.of([WEB]):
        assert time.monotonic() < deadline
    assert len(api.asked) == 1


def test_many_are_asked_for_at_once_and_not_all_of_too_many(pods: Pods, api: LookupApi) -> None:
    names = [("default", f"p{number}") for number in range(module.MOST + 8)]
    api.pods = {f"default/{name}": pod(name, False) for _, name in names}
    assert sorted(pods.of(names)) == sorted(names[: module.MOST])


def test_what_is_kept_is_bounded(pods: Pods, api: LookupApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    for name in ("a", "b", "c"):
        api.pods[f"default/{name}"] = pod(name, False)
        pods.of([("default", name)])
    assert len(pods._found) == 2


def test_only_calls_to_that_api_are_looked_up(pods: Pods, api: LookupApi) -> None:
    assert pods.is_about(f"127.0.0.1:{api.port}") and not pods.is_about("127.0.0.1:1") and not pods.is_about("")


def test_threads_may_ask_together(pods: Pods, api: LookupApi) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(pods.of([WEB])))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8 and len(api.asked) <= 2
