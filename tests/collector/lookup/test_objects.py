"""Objects of a real TLS server that lists and watches as the API does."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.pod_api import PodApi, pod_api
from support.receivers import until

from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import UnansweredError
from chaperone.collector.lookup.objects import PATH, Objects, PolicyObjects


def policy(name: str, generation: int = 1, **more: Any) -> dict[str, Any]:
    return {"kind": "Policy", "metadata": {"name": name, "uid": f"u-{name}", "generation": generation}, "rules": [], **more}


class Seen:
    """What was told, in order."""

    def __init__(self) -> None:
        self.all: list[Objects] = []
        self.said: list[str] = []
        self.noted: list[Objects] = []

    def names(self) -> list[str]:
        return sorted(self.all[-1]) if self.all else []


@contextmanager
def watched(api: PodApi) -> Iterator[tuple[PolicyObjects, Seen]]:
    seen = Seen()
    context = ssl.create_default_context(cafile=str(api.directory / "ca.crt"))
    access = Access("127.0.0.1", api.port, frozenset(), context, lambda: api.token)
    objects = PolicyObjects(access, seen.all.append, seen.said.append, seen.noted.append, (0.05,))
    objects.start()
    try:
        yield objects, seen
    finally:
        objects.close()
        api.hang_up()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[PodApi]:
    with pod_api(tmp_path) as made:
        yield made


def test_what_there_is_and_what_comes_changes_and_goes_is_told(api: PodApi) -> None:
    api.put(PATH, policy("a"))
    with watched(api) as (_, seen):
        until(lambda: seen.names() == ["a"])
        api.put(PATH, policy("b"))
        until(lambda: seen.names() == ["a", "b"])
        api.put(PATH, policy("b", 2, mode="off"))
        until(lambda: seen.all[-1]["b"].get("mode") == "off")
        api.remove(PATH, "", "a")
        until(lambda: seen.names() == ["b"])
    assert seen.said == ["policies of the API are known"] and api.lists(PATH) == 1


def test_where_there_are_none_that_is_told(api: PodApi) -> None:
    with watched(api) as (_, seen):
        until(lambda: seen.all == [{}])


def test_a_watch_that_is_too_old_lists_again(api: PodApi) -> None:
    api.put(PATH, policy("a"))
    with watched(api) as (_, seen):
        until(lambda: seen.names() == ["a"])
        api.forget()
        until(lambda: api.lists(PATH) > 1)
        api.put(PATH, policy("b"))
        until(lambda: seen.names() == ["a", "b"])


def test_what_is_no_event_and_an_api_that_refuses_are_got_over(api: PodApi) -> None:
    api.put(PATH, policy("a"))
    with watched(api) as (objects, seen):
        until(lambda: seen.names() == ["a"])
        api.refuses = 403
        api.garbage = b"nonsense\n"
        api.hang_up()
        until(lambda: "403" in objects.problem)
        assert seen.names() == ["a"], "what was known stays"
        api.refuses = 0
        api.put(PATH, policy("b"))
        until(lambda: seen.names() == ["a", "b"])
    assert any("403" in said for said in seen.said) and seen.said[-1] == "policies of the API are known"


def test_a_status_is_written_and_is_no_change(api: PodApi) -> None:
    api.put(PATH, policy("a"))
    with watched(api) as (objects, seen):
        until(lambda: seen.names() == ["a"])
        objects.tell("a", {"accepted": True})
        assert api.listed(PATH, {})["items"][0]["status"] == {"accepted": True}
        until(lambda: seen.noted == [{"a": {"accepted": True}}])
        api.patched(f"{PATH}/a/status", [{"value": {"accepted": False}}])
        until(lambda: seen.noted[1:] == [{"a": {"accepted": False}}])
        api.put(PATH, policy("b"))
        until(lambda: seen.names() == ["a", "b"])
        assert len(seen.all) == 2
        objects.tell("gone", {"accepted": True})
        objects.tell("../../api/v1/nodes/n", {"accepted": True})
        api.refuses = 500
        with pytest.raises(UnansweredError, match="answered 500 to the status of policy a"):
            objects.tell("a", {})
