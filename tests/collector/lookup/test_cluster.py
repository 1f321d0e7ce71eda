"""Lists over TLS, page by page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.pod_api import PodApi, namespace, pod, pod_api

from chaperone.collector.lookup import cluster as module
from chaperone.collector.lookup.access import Access, access
from chaperone.collector.lookup.client import UnansweredError
from chaperone.collector.lookup.cluster import LISTS, cluster


@pytest.fixture
def api(tmp_path: Path) -> Iterator[PodApi]:
    with pod_api(tmp_path) as opened:
        yield opened


@pytest.fixture
def known(api: PodApi) -> Access:
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
    return access("in-cluster", environment, api.directory)


def test_all_pages_of_all_lists_are_read(api: PodApi, known: Access) -> None:
    api.page = 2
    for number in range(5):
        api.put(LISTS["pods"], pod(f"p{number}", f"u{number}"))
    api.put(LISTS["namespaces"], namespace("demo"))
    found = cluster(known)
    assert sorted(one["metadata"]["name"] for one in found.pods) == ["p0", "p1", "p2", "p3", "p4"]
    assert len(found.namespaces) == 1 and found.nodes == found.runtimes == ()
    assert api.lists(LISTS["pods"]) == 3


@pytest.mark.parametrize("status", [403, 500])
def test_a_list_that_is_refused_is_said(api: PodApi, known: Access, status: int) -> None:
    api.refuses = status
    with pytest.raises(UnansweredError, match=f"answered {status} to a list of /api/v1/pods"):
        cluster(known)


def test_what_is_no_list_or_takes_too_long_is_none(api: PodApi, known: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (b"x", b"[]"):
        with pytest.raises(UnansweredError, match="something that is no list"):
            module._read(known, body)
    monkeypatch.setattr(module, "ALL_S", -1.0)
    with pytest.raises(UnansweredError, match="took longer"):
        cluster(known)
