"""What is covered, with an API double over TLS and a store that is a table."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pod_api import PodApi, namespace, pod, pod_api

from chaperone.collector.enforce.alert import Alert
from chaperone.collector.lookup.access import access
from chaperone.collector.lookup.cluster import LISTS
from chaperone.collector.serve.metrics import Sample
from chaperone.collector.survey import NOBODY_ASKED, Nodes, Sources, Survey

UNREAD = [{"workload": "demo/agent/main", "exe": "/odd", "stack": "rustls", "connections": 2}]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[PodApi]:
    with pod_api(tmp_path) as opened:
        opened.put(LISTS["namespaces"], namespace("demo"))
        for name in ("a", "b"):
            running = {"name": "main", "containerID": f"containerd://c-{name}", "state": {"running": {"startedAt": "2020-01-01T00:00:00Z"}}}
            status = {"containerStatuses": [running]}
            opened.put(LISTS["pods"], pod(name, name, labels={"chaperone.dev/govern": "record"}, spec={"nodeName": "n1"}, status=status))
        yield opened


class Told:
    def __init__(self, api: PodApi | None) -> None:
        self.alerts: list[Alert] = []
        self.said: list[str] = []
        self.open = ["c-a"]
        self.calling = Nodes(frozenset({"n1"}))
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)} if api else {}
        known = access("in-cluster", environment, api.directory) if api else None
        self.survey = Survey(Sources(self.ask, self.nodes, lambda: (), known), self.tell, self.said.append)

    async def nodes(self) -> Nodes:
        return self.calling

    async def ask(self, name: str, parameters: str) -> list[dict[str, Any]]:
        return UNREAD if name == "unread.list" else [{"container": one} for one in self.open]

    async def tell(self, alert: Alert, likeness: str) -> None:
        self.alerts.append(alert)


def test_what_is_not_observed_is_answered(api: PodApi) -> None:
    (row,) = asyncio.run(Told(api).survey.answer())
    (missing,) = row["unobserved"]
    assert (row["selected"], row["observed"], row["nodes"], row["problem"], row["unread"]) == (2, 1, ["n1"], "", UNREAD)
    assert (missing["pod"], missing["why"]) == ("b", "its node's agent has no session of it")


def test_it_is_alerted_once_it_lasts_and_again_when_it_comes_back(api: PodApi) -> None:
    told, alerts = Told(api), list[int]()
    for opened in (["c-a"], ["c-a", "c-b"], ["c-a"], ["c-a"], ["c-a"], ["c-a", "c-b"], ["c-a"], ["c-a"]):
        told.open = opened
        asyncio.run(told.survey.look())
        alerts.append(len(told.alerts))
    assert alerts == [0, 0, 0, 1, 1, 1, 1, 2]
    assert [alert.who.pod for alert in told.alerts] == ["demo/b", "demo/b"]
    families = {family.name: family.samples for family in told.survey.families()}
    assert families["unobserved_containers"] == (Sample(("its node's agent has no session of it",), 1),)
    assert families["selected_containers"] == (Sample((), 2),)


def test_an_api_that_does_not_answer_is_said_and_nothing_is_alerted(api: PodApi) -> None:
    told = Told(api)
    api.refuses = 403
    for _ in range(2):
        asyncio.run(told.survey.look())
    api.refuses = 0
    told.open = ["c-a", "c-b"]
    asyncio.run(told.survey.look())
    assert told.alerts == [] and len(told.said) == 2
    assert told.said[0].startswith("coverage is not known: https://127.0.0.1") and told.said[1] == "coverage is known again"


def test_without_an_api_nobody_knows() -> None:
    told = Told(None)
    (row,) = asyncio.run(told.survey.answer())
    assert (row["problem"], row["selected"], row["unread"]) == (NOBODY_ASKED, 0, UNREAD)
    asyncio.run(asyncio.wait_for(told.survey.watch(), 5))


def test_of_several_collectors_one_tells_and_one_that_does_not_answer_is_named(api: PodApi) -> None:
    told = Told(api)
    told.calling = Nodes(frozenset(), ("collector b did not answer",), is_ours=False)
    asyncio.run(told.survey.look())
    assert told.alerts == [] and told.said == ["collector b did not answer"]
    [row] = asyncio.run(told.survey.answer())
    assert row["missing"] == ["collector b did not answer"] and row["unobserved"][0]["why"] == "no agent calls from its node"
    told.calling = Nodes(frozenset({"n1"}))
    told.open = []
    for _ in range(2):
        asyncio.run(told.survey.look())
    assert [alert.who.pod for alert in told.alerts] == ["demo/a", "demo/b"]
    assert told.said[1] == "all collectors answer again"
