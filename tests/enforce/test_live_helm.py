"""`chaperone run --policy` of Helm, whose requests are made by Go: a Deployment that is denied is not made, all else is as without."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.apiserver import ApiServer, running
from support.governed_run import calls, governed, said, storing, variables
from support.helm import HELM, charts, skip_without_helm
from support.kernel import skip_without_kernel
from support.nobodys_run import ended, nobodys, until

pytestmark = pytest.mark.kernel
RULES = """
- name: no-deployments
  when: call.resource == "deployments" && call.write
  do: deny
  enforce: enforce
  message: "{call.name} is not installed"
"""
APPROVING = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
holdLimit: 120s
rules:
- name: deployments
  when: call.resource == "deployments" && call.write
  do: approve
  enforce: enforce
  message: "{call.verb} {call.name}"
"""
SCRIPT = """
eval "$SAID"
cd $OUT
said settings $HELM install settings ./settings
said shop $HELM install shop ./shop
said list $HELM list
"""


@dataclass(frozen=True)
class Ran:
    """A run, and the same commands without one."""

    place: Path
    bare: Path
    server: ApiServer
    without: ApiServer
    last_line: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    skip_without_kernel()
    skip_without_helm()
    place, bare = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("bare")
    for directory in (place, bare):
        charts(directory)
    with storing(place), running(place / "apiserver") as server, running(bare / "apiserver") as without:
        subprocess.run(["sh", "-c", SCRIPT], env=variables(bare, without, {"HELM": str(HELM)}), timeout=240, check=True)
        done = governed(place, server, RULES, "sh", "-c", SCRIPT, HELM=str(HELM))
        assert done.returncode == 0, done.stderr
        yield Ran(place, bare, server, without, done.stderr.splitlines()[-1])


def asked(server: ApiServer) -> list[tuple[str, str]]:
    return [(one["method"], one["requestURI"]) for one in server.requests()]


def made(server: ApiServer) -> list[str]:
    return [uri.partition("?")[0].rpartition("/")[2] for method, uri in asked(server) if method == "PATCH"]


def test_a_deployment_that_is_denied_is_not_made_and_helm_says_why(ran: Ran) -> None:
    status, _, err = said(ran.place, "shop")
    told = 'deployments.apps "shop" is forbidden: denied by policy "no-deployments": shop is not installed\n'
    assert (status, err) == (1, f"Error: INSTALLATION FAILED: {told}")
    assert (made(ran.without), made(ran.server)) == (["settings", "shop"], ["settings"])
    assert [call["code"] for call in calls(ran.place) if call["resource"] == "deployments"] == [404, 403]


def test_what_no_rule_is_against_is_as_without(ran: Ran) -> None:
    assert [said(ran.place, name)[0::2] for name in ("settings", "list")] == [(0, ""), (0, "")]
    assert [line.split()[-2] for line in said(ran.place, "list")[1].splitlines()[1:]] == ["deployed", "failed"]
    without = [one for one in asked(ran.without) if not (one[0] == "PATCH" and "/deployments/" in one[1])]
    assert asked(ran.server) == without
    assert " complete " in ran.last_line and " 1 deny" in ran.last_line


def test_a_deployment_that_is_approved_is_made() -> None:
    skip_without_kernel()
    skip_without_helm()
    with nobodys(HELM) as place:
        charts(place.directory)
        run = place.run(APPROVING, "helm", "install", "shop", str(place.directory / "shop"))
        [approval] = until(lambda: place.waiting("pending"), run)
        assert made(place.server) == []
        assert place.say("approve", approval).returncode == 0
        status, out, err = ended(run)
        assert (status, "STATUS: deployed" in out) == (0, True), err
        assert made(place.server) == ["shop"]
