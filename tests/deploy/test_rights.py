"""The chart's accounts may what the programs ask of an API server, and nothing else: the real programs ask doubles over TLS."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.api_double import Answer, ApiDouble, api_double
from support.chart import CHART, DEPLOY, named, rendered
from support.collectors import batch, collector, hello, send
from support.conversations import Conversation
from support.daemon_sets_api import daemon_sets_api
from support.keeping_secrets import keeping_secrets
from support.lookup_api import pod
from support.node_api import UNREADY, node_api
from support.pod_api import pod_api
from support.policies import EXAMPLE
from support.receivers import free_port, until
from support.reviewing import ALICE, reviewing
from support.rights import Right, granted, needed, problems
from support.tls_directories import SERVER, authority, tls_directory
from typer.testing import CliRunner

from chaperone.agent.cluster.source import PodSource, Where
from chaperone.agent.cluster.watcher import kinds
from chaperone.collector.cli.app import app
from chaperone.collector.identity.caller import Right as Allowed
from chaperone.collector.identity.reviews import GROUP
from chaperone.collector.lookup.cluster import LISTS
from chaperone.collector.lookup.objects import PATH
from chaperone.proto.records import Direction, Record, SessionStarted

RUN = CliRunner().invoke
OPTIONS = ("lookup", "policyObjects", "startupTaint")  # each makes the collector ask for more


def problems_of(account: str, needs: set[Right], values: Any) -> list[str]:
    return sorted(problems(granted(rendered(values), account), needs))


def test_the_agent_may_list_and_watch_what_it_lists_and_watches(tmp_path: Path) -> None:
    with pod_api(tmp_path) as api:
        source = PodSource(Where("127.0.0.1", api.port, "n1", api.directory), lambda _: None, lambda: None)

        def asked() -> set[Right]:
            source.step()
            return needed(api.requests)

        until(lambda: len(asked()) == 2 * len(kinds("n1")))
        source.close()
    assert problems_of("chaperone-agent", needed(api.requests), {}) == []


def test_whoever_keeps_certificates_may_keep_them_alone(tmp_path: Path) -> None:
    with keeping_secrets(tmp_path) as (_, server):
        options = ["--namespace", "chaperone", "--kubeconfig", str(server.kubeconfig(tmp_path))]
        assert RUN(app, ["certificates", "secrets", *options]).exit_code == 0
    assert problems_of("chaperone-certificates", needed(server.requests), {}) == []
    assert not granted(rendered({"certificates": {"method": "certManager"}}), "chaperone-certificates")


def test_whoever_removes_agents_may_do_that_alone(tmp_path: Path) -> None:
    objects = rendered({})
    with daemon_sets_api(tmp_path) as (state, server):
        state.sets, state.away = {"chaperone-agent": 3, "chaperone-clean-up": 1}, 1
        for step in ("agents", "nodes"):
            (container,) = named(objects, "Job", f"chaperone-removal-{step}")["spec"]["template"]["spec"]["containers"]
            words = [*container["command"][1:], *container["args"], "--kubeconfig", str(server.kubeconfig(tmp_path))]
            assert RUN(app, words).exit_code == 0
    assert problems_of("chaperone-removal", needed(server.requests), {}) == []


@pytest.fixture(scope="module")
def needs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Right]]:
    """What one collector asked for that was given all that the chart may give it: by option, and "" for whatever is always asked."""
    folders = {name: tmp_path_factory.mktemp(name or "store") for name in ("", *OPTIONS)}
    with (
        reviewing(folders[""]) as (_, reviews),
        api_double(folders["lookup"], looked_up) as pods,
        pod_api(folders["policyObjects"]) as policies,
        node_api(folders["startupTaint"]) as nodes,
    ):
        at = ApiDouble(f"https://127.0.0.1:{policies.port}", policies.directory / "ca.crt")
        given = {
            "--reviews": reviews.kubeconfig(folders[""]),
            "--lookup": pods.kubeconfig(folders["lookup"]),
            "--policy-objects": at.kubeconfig(folders["policyObjects"], policies.token),
            "--lift-startup-taint": next(folders["startupTaint"].glob("kubeconfig*")),
            "--listen-tokens": f"localhost:{free_port()}",
            "--tls": tls_directory(folders[""] / "tls", authority(), SERVER),
        }
        nodes.nodes, nodes.agents = {"n1": [*UNREADY], "n2": [*UNREADY]}, {"a": ("n1", True), "b": ("n2", True)}
        for name in ("one", "two"):
            policies.put(PATH, {"kind": "Policy", "metadata": {"name": name, "uid": name, "generation": 1}, "rules": []})
        with collector(folders[""] / "store", *(str(word) for option in given.items() for word in option)):
            send(folders[""] / "store", [hello(), batch(1, list(execs(pods.url.removeprefix("https://"))))])
            who = ["--ca", str(folders[""] / "tls/ca.crt"), "--kubeconfig", str(reviews.kubeconfig(folders[""], ALICE))]
            RUN(app, ["--server", given["--listen-tokens"], *who, "sessions", "list"])
            until(lambda: nodes.patches() == 2)
            until(lambda: {policy.get("status", {}).get("accepted") for policy in policies.listed(PATH, {})["items"]} == {True})
            until(lambda: len({path.partition("?")[0] for _, path in pods.requests} & set(LISTS.values())) == len(LISTS))
            until(lambda: "watch" in [need.verb for need in needed(policies.requests)])
        asked = {"": reviews.requests, "lookup": pods.requests, "policyObjects": policies.requests, "startupTaint": nodes.asked}
        return {name: needed(requests) for name, requests in asked.items()}


def looked_up(method: str, path: str, body: Any) -> Answer:
    """Two pods, of different namespaces, and lists of nothing."""
    return 200, {"kind": "List", "metadata": {}, "items": []} if "?" in path else pod("web", privileged=True)


def execs(host: str) -> Iterator[Record]:
    """A session that executes commands in two pods, by requests to this host."""
    one = Conversation()
    first, *rest = one.begun()
    assert isinstance(first, SessionStarted)
    yield from [SessionStarted(first.session, first.workload, first.time, policies=(EXAMPLE,)), *rest]
    for where in ("default/pods/web", "agents/pods/db"):
        target = f"/api/v1/namespaces/{where}/exec?command=sh"
        yield one.chunk(Direction.OUT, f"POST {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        yield one.answer({"kind": "Status"}, 403)


@pytest.mark.parametrize("on", list(itertools.product([False, True], repeat=len(OPTIONS))), ids=range(2 ** len(OPTIONS)))
def test_the_collector_may_what_its_options_make_it_ask(on: tuple[bool, ...], needs: dict[str, set[Right]]) -> None:
    lookup, policy_objects, startup = on
    values = {"collector": {"lookup": lookup, "policyObjects": policy_objects}, "startupTaint": startup}
    asked = needs[""].union(*(needs[name] for name, is_on in zip(OPTIONS, on, strict=True) if is_on))
    assert problems_of("chaperone-collector", asked, values) == []


def test_roles_of_people_have_the_rights_that_are_asked_about() -> None:
    objects = rendered({"rbac": {f"{who}s": [{"kind": "Group", "name": who}] for who in ("viewer", "approver", "admin")}})
    viewer, approver, admin = (granted(objects, who) for who in ("viewer", "approver", "admin"))
    assert viewer < approver < admin == {Right(str(right), GROUP, right.resource) for right in Allowed}


def test_nobody_else_is_granted_anything() -> None:
    subjects = {subject["name"] for one in rendered({"startupTaint": True}) for subject in one.get("subjects", [])}
    assert subjects == {f"chaperone-{who}" for who in ("agent", "collector", "certificates", "removal")}


def test_a_right_that_is_missing_not_needed_or_too_wide_is_seen() -> None:
    need = Right("get", "", "pods", "demo", "web")
    assert len(list(problems(set(), {need}))) == 1
    assert not list(problems({need}, {need}))
    assert len(list(problems({need, need._replace(verb="list")}, {need}))) == 1
    assert len(list(problems({Right("get", "", "pods")}, {need}))) == 2
    assert not list(problems({Right("get", "", "pods")}, {need, Right("get", "", "pods", "other", "db")}))


def test_every_account_and_every_secret_is_in_the_list_of_keys() -> None:
    """docs/keys.md: who holds it, how it is changed, what a leak exposes."""
    page = (DEPLOY.parent / "docs" / "keys.md").read_text()
    accounts = {one["metadata"]["name"] for one in rendered({"startupTaint": True}) if one["kind"] == "ServiceAccount"}
    collector = yaml.safe_load((CHART / "values.yaml").read_text())["collector"]
    secrets = {f"collector.{name}" for name in collector if name.endswith("Secret")}
    secrets |= {f"collector.clickhouse.{name}" for name in collector["clickhouse"] if name.endswith("Secret")}
    assert accounts == {f"chaperone-{who}" for who in ("agent", "collector", "certificates", "removal")} and len(secrets) == 3
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert [name for name in sorted(accounts | secrets) if not any(f"`{name}`" in row for row in rows)] == []
