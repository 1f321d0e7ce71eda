"""The rules that come with Chaperone keep enforced workloads out of its own namespace: real kubectl, a real collector."""

from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.held_run import held

__all__ = ["apiserver"]
OPTIONS = ("--own-namespace", "default")  # where the demo's pods are
POD = {"namespace": "agents", "pod": "coder", "container_id": "c"}
ACTING = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
rules:
- {name: no-nodes, when: call.resource == "nodes", do: deny, enforce: enforce}
"""
ENFORCED = [((), {"labels": {"chaperone.dev/govern": "enforce"}}), ((ACTING,), {})]


@pytest.mark.parametrize(("policies", "label"), ENFORCED, ids=["by its label", "by another policy"])
def test_an_enforced_pod_neither_enters_chaperone_nor_changes_it_nor_reads_its_secrets(
    tmp_path: Path, apiserver: ApiServer, policies: tuple[str, ...], label: dict[str, dict[str, str]]
) -> None:
    with held(tmp_path, apiserver, *policies, options=OPTIONS, **POD, **label) as found:
        denied = [
            found.kubectl("exec", "agent", "--", "true"),
            found.kubectl("delete", "pod", "agent"),
            found.kubectl("get", "secrets", "-o", "name"),
            found.kubectl("get", "secrets", "-A", "-o", "name"),
        ]
        rules = ["enters-chaperone", "changes-chaperone", "reads-chaperone-secrets", "reads-all-secrets"]
        for ran, rule in zip(denied, rules, strict=True):
            assert ran.returncode == 1 and f'denied by policy "{rule}"' in ran.stderr, ran
        others = found.kubectl("get", "secrets", "-A", "-o", "name", "--field-selector", "metadata.namespace!=default")
        assert others.returncode == 0, others.stderr
        assert found.kubectl("get", "pods", "-o", "name").returncode == 0
        asked = found.asked()
    assert ("DELETE", "/api/v1/namespaces/default/pods/agent") not in asked
    assert not [uri for _, uri in asked if uri.endswith("/exec") or uri == "/api/v1/namespaces/default/secrets"]
    assert [uri for _, uri in asked if uri.endswith("/secrets")] == ["/api/v1/secrets"], "the one that leaves ours out"


def test_a_pod_that_is_only_recorded_is_denied_nothing(tmp_path: Path, apiserver: ApiServer) -> None:
    with held(tmp_path, apiserver, options=OPTIONS, **POD) as found:
        assert found.kubectl("get", "secrets", "-o", "name").returncode == 0
