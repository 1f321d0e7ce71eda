"""The whole of it on the real kernel: a run of another user waits in its own TLS library until root has decided."""

from collections.abc import Iterator

import pytest
from support.kernel import skip_without_kernel
from support.nobodys_run import BIN, Place, ended, nobodys, until

pytestmark = pytest.mark.kernel
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {{name: agents}}
holdLimit: {limit}
rules:
- name: cluster-roles
  when: call.resource == "clusterroles" && call.write
  do: approve
  enforce: enforce
  message: "{{call.verb}} {{call.resource}}/{{call.name}}"
"""
CREATE = ("kubectl", "create", "clusterrole", "reader", "--verb=get", "--resource=pods")
CREATED = "clusterrole.rbac.authorization.k8s.io/reader created\n"


@pytest.fixture
def place() -> Iterator[Place]:
    skip_without_kernel()
    with nobodys(BIN / "kubectl") as made:
        yield made


def created(place: Place) -> int:
    return sum(one["method"] == "POST" and "/clusterroles" in one["requestURI"] for one in place.server.requests())


def test_kubectl_waits_in_its_own_process_and_goes_through_when_root_says_so(place: Place) -> None:
    run = place.run(POLICY.format(limit="120s"), *CREATE)
    [approval] = until(lambda: place.waiting("pending"), run)
    assert created(place) == 0 and approval["requester"].startswith("user nobody on ")
    assert place.say("approve", approval).returncode == 0
    status, out, err = ended(run)
    assert (status, out) == (0, CREATED), err
    assert created(place) == 1


def test_a_denial_and_a_retry_after_the_hold_limit(place: Place) -> None:
    status, _, err = ended(place.run(POLICY.format(limit="2s"), *CREATE))
    [approval] = place.waiting("pending")
    assert status == 1 and f"approval pending: {approval['id'][:12]}, retry" in err and "(Forbidden)" in err
    assert place.say("approve", approval).returncode == 0
    status, out, err = ended(place.run(POLICY.format(limit="2s"), *CREATE))
    assert (status, out) == (0, CREATED), err
    assert created(place) == 1, "another run of the same user found its approval"
    second = place.run(POLICY.format(limit="120s"), *CREATE)
    [other] = until(lambda: place.waiting("pending"), second)
    assert place.say("deny", other).returncode == 0
    status, _, err = ended(second)
    assert status == 1 and "approval denied by unix:root: planned" in err and created(place) == 1
