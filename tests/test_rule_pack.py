"""The default pack over real clients' work: exactly these rules fire, each for a reason.

- read-secrets: secrets came back, whatever the form; helm keeps its releases in secrets, so each helm command reads some
- helm-release, new-workload: something was installed (severity info)
- command-in-container, copy-through-exec, port-forward: exec by GET over WebSocket and POST over SPDY alike
- mint-token, impersonation, node-change: what create token, --as and cordon are
- discovery-burst: the scheduler lists over ten kinds in all namespaces within a second, as somebody who looks around does
Nothing fires on get, describe, watch, logs, patch, scale or rollout of workloads, on 404s and refusals, nor on innocent ConfigMaps.
"""

from pathlib import Path

import pytest
from support.judged_events import body, call

from chaperone.collector.cli.rules import capture_events, judged
from chaperone.collector.ingest.policies import DEFAULT, read_rules
from chaperone.collector.rules.verdict import Action, Enforce, Moment

CAPTURES = Path(__file__).parent / "captures"
SHARED = Path(__file__).parents[1] / "../shared/fixtures/wire"
RULES = read_rules([DEFAULT])
GOLDEN: dict[str, list[str]] = {
    "curl-h1.1": ["read-secrets"],
    "curl-h2.1": ["read-secrets"],
    "curl-protobuf-secret.1": ["read-secrets"],
    "curl-yaml.1": ["read-secrets"],
    "go-scheduler-protobuf.1": ["discovery-burst"],
    "helm-install.1": ["helm-release", "new-workload", "read-secrets"],
    "helm-list.1": ["read-secrets"],
    "helm-uninstall.1": ["helm-release", "read-secrets"],
    "kubectl-apply.1": ["new-workload"],
    "kubectl-cordon.1": ["node-change"],
    "kubectl-cp.2": ["command-in-container", "copy-through-exec"],
    "kubectl-create-token.1": ["mint-token"],
    "kubectl-describe-secret.1": ["read-secrets"],
    "kubectl-exec-spdy-stdin.2": ["command-in-container"],
    "kubectl-exec-spdy.2": ["command-in-container"],
    "kubectl-exec-ws-tty.2": ["command-in-container"],
    "kubectl-exec-ws.2": ["command-in-container"],
    "kubectl-forbidden.1": ["impersonation"],
    "kubectl-get-secret-yaml.1": ["read-secrets"],
    "kubectl-get-secrets-table.1": ["read-secrets"],
    "kubectl-portforward-ws.2": ["port-forward"],
    "py-agent.1": ["read-secrets"],
    "py-asyncio.1": ["read-secrets"],
    "py-asyncio.2": ["read-secrets"],
    "py-asyncio.3": ["read-secrets"],
    "py-asyncio.4": ["read-secrets"],
    "py-asyncio.5": ["read-secrets"],
}


def recordings() -> list[Path]:
    """All that are handed out, else those that are committed and are of the same clients."""
    found = sorted((SHARED if SHARED.is_dir() else CAPTURES).glob("*.jsonl.gz"))
    return [path for path in found if not path.name.startswith("node-")]


@pytest.mark.parametrize("path", recordings(), ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def test_exactly_these_rules_fire(path: Path) -> None:
    fired = {verdict.rule for verdict in judged(RULES, capture_events(path))}
    assert sorted(fired) == GOLDEN.get(path.name.removesuffix(".jsonl.gz"), [])


def test_the_pack_only_observes() -> None:
    assert {(rule.do, rule.enforce) for rule in RULES} == {(Action.ALERT, Enforce.OBSERVE)}


PRIVILEGED = body({"spec": {"template": {"spec": {"containers": [{"image": "x", "securityContext": {"privileged": True}}]}}}})
PATCHED = body([{"op": "add", "path": "/spec/template/spec/hostPID", "value": True}])
ROLE = body({"rules": [{"verbs": ["get"], "resources": ["pods/exec"]}]})
MISSED_BY_VERB_RULES = {
    "privileged-or-host-access": [
        {"resource": "daemonsets", "verb": "create", "requestBody": PRIVILEGED},
        {"resource": "deployments", "verb": "patch", "requestBody": PATCHED},
    ],
    "exec-through-kubelet": [{"resource": "nodes", "subresource": "proxy", "verb": "get", "requestURI": "/api/v1/nodes/n/proxy/run/a/b/c"}],
    "read-secrets": [{"verb": "list"}, {"verb": "watch"}],
    "strong-rbac-grant": [{"resource": "clusterroles", "verb": "patch", "requestBody": ROLE}],
    "ephemeral-container": [{"resource": "pods", "subresource": "ephemeralcontainers", "verb": "patch", "requestBody": body({})}],
    "admission-change": [{"resource": "validatingwebhookconfigurations", "verb": "delete"}],
    "certificate-request": [{"resource": "certificatesigningrequests", "subresource": "approval", "verb": "update"}],
    "scheduled-job": [{"resource": "cronjobs", "verb": "patch", "requestBody": body({})}],
    "token-secret": [{"verb": "create", "requestBody": body({"type": "kubernetes.io/service-account-token"})}],
    "credentials-in-configmap": [{"resource": "configmaps", "verb": "patch", "requestBody": body({"data": {"DB_PASSWORD": "x"}})}],
    "system-namespace-change": [{"resource": "configmaps", "verb": "update", "namespace": "kube-system"}],
    "hides-tracks": [{"resource": "events", "verb": "deletecollection"}],
    "exposes-service": [{"resource": "services", "verb": "patch", "requestBody": body({"spec": {"type": "NodePort"}})}],
    "anonymous-access": [{"requestHeaders": [], "user": "system:anonymous"}],
    "escalation-refused": [
        {
            "code": 403,
            "responseBody": body({"kind": "Status", "message": "x is attempting to grant RBAC permissions not currently held: y"}),
        }
    ],
    "asks-for-own-rights": [{"resource": "selfsubjectrulesreviews", "verb": "create"}],
    "token-review": [{"resource": "tokenreviews", "verb": "create"}],
}


@pytest.mark.parametrize(("name", "changed"), [(name, changed) for name, many in MISSED_BY_VERB_RULES.items() for changed in many])
def test_what_verb_rules_miss_is_found(name: str, changed: dict[str, object]) -> None:
    moments = (Moment.REQUEST, Moment.RESPONSE, Moment.END)
    assert name in {verdict.rule for verdict in judged(RULES, [call(moment, **changed) for moment in moments])}
