"""The default pack over real clients' work: exactly the rules of docs/rules.md fire, each for the reason given there."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.judged_events import body, call, piece, unread

from chaperone.collector.cli.rules import capture_events, judged
from chaperone.collector.ingest.policies import DEFAULT, read_policies
from chaperone.collector.rules.document import POLICY_KEYS, RULE_KEYS, policies
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.ruleset import arranged, concerning, following
from chaperone.collector.rules.verdict import Action, Enforce, Moment
from chaperone.collector.rules.words import WORDS

CAPTURES = Path(__file__).parent / "captures"
SHARED = Path(__file__).parents[1] / "../shared/fixtures/wire"
PACK = arranged(read_policies([DEFAULT]))
RULES = tuple(PACK)
PAGE = (Path(__file__).parents[1] / "docs/rules.md").read_text()
ROW = re.compile(r"^\| ([\w.-]+) \| ([\w, -]+) \| \S.* \|$", re.MULTILINE)
GOLDEN = {name: rules.split(", ") for name, rules in ROW.findall(PAGE.partition("| recording |")[2]) if name != "---"}


def recordings() -> list[Path]:
    """All that are handed out, else those that are committed and are of the same clients."""
    found = sorted((SHARED if SHARED.is_dir() else CAPTURES).glob("*.jsonl.gz"))
    return [path for path in found if not path.name.startswith("node-")]


@pytest.mark.parametrize("path", recordings(), ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def test_exactly_these_rules_fire(path: Path) -> None:
    fired = {verdict.rule for verdict in judged(RULES, capture_events(path))}
    assert sorted(fired) == GOLDEN.get(path.name.removesuffix(".jsonl.gz"), [])


OWN = ("enters-chaperone", "changes-chaperone", "reads-chaperone-secrets", "reads-all-secrets")


def test_the_pack_only_observes_but_where_chaperone_itself_is_reached_into() -> None:
    assert {(rule.do, rule.enforce) for rule in RULES if rule.name not in OWN} == {(Action.ALERT, Enforce.OBSERVE)}
    assert [(rule.name, rule.do, rule.enforce) for rule in RULES if rule.name in OWN] == [(n, Action.DENY, Enforce.ENFORCE) for n in OWN]


POD: dict[str, Any] = {"id": "5" * 32, "workload": "w", "lookedUp": {"namespace": "agents", "name": "a"}, "chaperone": "security"}
ENFORCED = POD | {"labels": {"chaperone.dev/govern": "enforce"}}
INTO = {"resource": "pods", "namespace": "security", "name": "chaperone-collector-0", "code": 101}
IN_OWN: dict[str, list[dict[str, Any]]] = {
    "enters-chaperone": [
        INTO | {"subresource": sub, "verb": verb} for sub in ("exec", "attach", "portforward") for verb in ("get", "create")
    ],
    "changes-chaperone": [
        *({"resource": kind, "verb": verb} for kind in ("configmaps", "pods") for verb in ("create", "update", "patch", "apply", "delete")),
        {"resource": "serviceaccounts", "subresource": "token", "verb": "create"},
        {"resource": "namespaces", "verb": "delete", "name": "security"},
        {"resource": "secrets", "verb": "deletecollection", "name": ""},
        {"resource": "leases", "apiGroup": "coordination.k8s.io", "verb": "update"},
    ],
    "reads-chaperone-secrets": [{"verb": verb} for verb in ("get", "list", "watch")],
    "reads-all-secrets": [
        {"namespace": "", "verb": verb, "requestURI": f"/api/v1/secrets{query}"}
        for verb in ("list", "watch")
        for query in (
            "",
            "?limit=500",
            "?labelSelector=!x",
            "?labelSelector=!x&labelSelector=owner%3Dhelm",
            "?fieldSelector=metadata.namespace!%3Dother",
            "?fieldSelector=x&fieldSelector=metadata.namespace!%3Dsecurity",
            "?" + "a&" * 10_001,
        )
    ],
}


def said_of(event: Event, session: dict[str, Any]) -> list[tuple[str, Enforce]]:
    """What refuses it, and how seriously."""
    verdicts = judged(concerning(PACK, session), [replace(event, session=session)])
    return [(verdict.rule, verdict.effective) for verdict in verdicts if verdict.action is Action.DENY]


@pytest.mark.parametrize(("name", "changed"), [(name, changed) for name, many in IN_OWN.items() for changed in many])
def test_what_reaches_into_chaperone_is_denied_where_workloads_are_enforced_and_else_told(name: str, changed: dict[str, Any]) -> None:
    event = call(**{"namespace": "security"} | changed)
    assert said_of(event, ENFORCED) == [(name, Enforce.ENFORCE)]
    assert said_of(event, POD) == [(name, Enforce.OBSERVE)]
    assert said_of(event, {key: value for key, value in ENFORCED.items() if key != "chaperone"}) == []


@pytest.mark.parametrize(
    "changed",
    [
        INTO | {"namespace": "agents", "subresource": "exec"},
        {"resource": "configmaps", "verb": "update"},
        {"resource": "clusterroles", "namespace": "", "verb": "create"},
        {"resource": "secrets", "namespace": "agents", "verb": "list"},
        {"resource": "pods", "namespace": "security", "verb": "list"},
        {"resource": "configmaps", "namespace": "", "verb": "list", "requestURI": "/api/v1/configmaps"},
        {"namespace": "", "verb": "list", "requestURI": "/api/v1/secrets?labelSelector=owner%3Dhelm&limit=5"},
        {"namespace": "", "verb": "watch", "requestURI": "/api/v1/secrets?fieldSelector=metadata.namespace!%3Dsecurity&watch=1"},
    ],
)
def test_what_does_not_reach_into_chaperone_is_denied_nobody(changed: dict[str, Any]) -> None:
    assert said_of(call(**changed), ENFORCED) == []


def test_the_pack_acts_where_another_policys_rule_does() -> None:
    head = "apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: a}\n"
    text = head + "rules:\n- {name: b, when: call.name == 'x', do: deny, enforce: %s}\n"
    for enforce, acts in (("enforce", Enforce.ENFORCE), ("observe", Enforce.OBSERVE)):
        both = arranged(following((*PACK.policies, *policies(text % enforce, "f"))))
        assert {rule.effective for rule in both if rule.name in OWN} == {acts}


PRIVILEGED = body({"spec": {"template": {"spec": {"containers": [{"image": "x", "securityContext": {"privileged": True}}]}}}})
PATCHED = body([{"op": "add", "path": "/spec/template/spec/hostPID", "value": True}])
ROLE = body({"rules": [{"verbs": ["get"], "resources": ["pods/exec"]}]})
PRIVILEGED_YAML = {**body({}), "form": "yaml", "data": "spec:\n  containers:\n  - {image: x, securityContext: {privileged: true}}\n"}
EXPOSING = (
    {"op": "replace", "path": "/spec/type", "value": "NodePort"},
    {"op": "add", "path": "/spec/externalIPs/-", "value": "192.0.2.1"},
    {"op": "replace", "path": "/spec", "value": {"type": "LoadBalancer"}},
)
BINDING = body({"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [{"kind": "Group", "name": "system:masters"}]})
MISSED_BY_VERB_RULES = {
    "command-in-container": [
        {"resource": "pods", "subresource": sub, "verb": verb, "code": 101} for sub in ("exec", "attach") for verb in ("get", "create")
    ],
    "port-forward": [{"resource": "pods", "subresource": "portforward", "verb": "get", "code": 101}],
    "copy-through-exec": [{"resource": "pods", "subresource": "exec", "requestURI": "/x?command=tar&command=cf", "code": 101}],
    "new-workload": [{"resource": kind, "verb": "create", "code": 201} for kind in ("pods", "deployments", "cronjobs", "podtemplates")],
    "mint-token": [{"resource": "serviceaccounts", "subresource": "token", "verb": "create", "code": 201}],
    "rbac-change": [{"resource": "rolebindings", "verb": "patch", "requestBody": BINDING}],
    "impersonation": [{"requestHeaders": [["Impersonate-User", "admin"]], "code": 403}],
    "deletes-logs": [
        {"resource": "pods", "subresource": "exec", "requestURI": "/x?command=rm&command=-rf&command=/var/log/app", "code": 101}
    ],
    "deletes-pod": [{"resource": "pods", "verb": "delete"}],
    "exposes-ingress": [{"resource": "ingresses", "verb": "update"}],
    "node-change": [{"resource": "nodes", "verb": verb} for verb in ("create", "patch")],
    "helm-release": [{"verb": "create", "name": "sh.helm.release.v1.web.v1"}],
    "privileged-or-host-access": [
        {"resource": "daemonsets", "verb": "create", "requestBody": PRIVILEGED},
        {"resource": "deployments", "verb": "patch", "requestBody": PATCHED},
        {"resource": "pods", "verb": "create", "requestBody": PRIVILEGED_YAML},
    ],
    "exec-through-kubelet": [{"resource": "nodes", "subresource": "proxy", "verb": "get", "requestURI": "/api/v1/nodes/n/proxy/run/a/b/c"}],
    "read-secrets": [{"verb": "list"}, {"verb": "watch"}],
    "strong-rbac-grant": [
        {"resource": "clusterroles", "verb": "patch", "requestBody": ROLE},
        {"resource": "clusterrolebindings", "verb": "create", "requestBody": BINDING},
    ],
    "ephemeral-container": [{"resource": "pods", "subresource": "ephemeralcontainers", "verb": "patch", "requestBody": body({})}],
    "admission-change": [{"resource": "validatingwebhookconfigurations", "verb": "delete"}],
    "certificate-request": [{"resource": "certificatesigningrequests", "subresource": "approval", "verb": "update"}],
    "scheduled-job": [{"resource": "cronjobs", "verb": "patch", "requestBody": body({})}],
    "token-secret": [{"verb": "create", "requestBody": body({"type": "kubernetes.io/service-account-token"})}],
    "credentials-in-configmap": [{"resource": "configmaps", "verb": "patch", "requestBody": body({"data": {"DB_PASSWORD": "x"}})}],
    "system-namespace-change": [{"resource": "configmaps", "verb": "update", "namespace": "kube-system"}],
    "hides-tracks": [{"resource": "events", "verb": "deletecollection"}],
    "exposes-service": [
        {"resource": "services", "verb": "patch", "requestBody": body({"spec": {"type": "NodePort"}})},
        {"resource": "services", "verb": "create", "requestBody": body({"spec": {"externalIPs": ["192.0.2.1"]}})},
        *({"resource": "services", "verb": "patch", "requestBody": body([operation])} for operation in EXPOSING),
    ],
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


def test_every_rule_of_the_pack_is_tried() -> None:
    elsewhere = {*OWN, "discovery-burst", "refused-again-and-again", "exec-into-privileged", "deletes-logs-by-shell", "unread-tls"}
    assert {rule.name for rule in RULES} - set(MISSED_BY_VERB_RULES) == elsewhere


@pytest.mark.parametrize("sent", [[{"op": "replace", "path": "/spec/type", "value": "ClusterIP"}], {"spec": {"type": "ClusterIP"}}])
def test_a_service_that_stays_inside_is_not_exposed(sent: object) -> None:
    changed = {"resource": "services", "verb": "patch", "requestBody": body(sent)}
    assert judged(RULES, [call(moment, **changed) for moment in (Moment.REQUEST, Moment.END)]) == []


def test_what_needs_more_than_one_call_is_found() -> None:
    refused = [call(Moment.RESPONSE, second, id=f"{second:032x}", code=403, resource="nodes") for second in range(10)]
    assert [verdict.rule for verdict in judged(RULES, refused)] == ["refused-again-and-again"]
    asked = call(resource="pods", subresource="exec", verb="get", name="web").with_lookup({"target": {"privileged": True}})
    assert [verdict.rule for verdict in judged(RULES, [asked])] == ["exec-into-privileged"]
    typed = piece("stdin", "rm -rf /var/log/audit\n", resource="pods", subresource="exec", verb="get")
    assert [verdict.rule for verdict in judged(RULES, [typed])] == ["deletes-logs-by-shell"]


def test_tls_that_nobody_reads_is_told() -> None:
    [verdict] = judged(RULES, [unread()])
    assert (verdict.rule, verdict.message) == ("unread-tls", "TLS to h.test:443 that nobody can read (rustls): /usr/bin/kubectl")


def test_every_word_and_key_is_in_the_manual() -> None:
    rows = [f"| `{name}` | {word.type} | {word.moment.name.lower()} | {word.doc} |" for name, word in WORDS.items()]
    assert [row for row in rows if row not in PAGE] == []
    assert [key for key in (*RULE_KEYS, *POLICY_KEYS) if f"`{key}`" not in PAGE and f"\n{key}:" not in PAGE] == []


def test_the_manuals_example_is_right(tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(PAGE.partition("```yaml\n")[2].partition("```")[0])
    assert [rule.name for rule in arranged(read_policies([tmp_path]))] == ["no-privileged-exec", "secret-surge-then-egress"]


def test_each_recording_in_the_manual_has_its_rules() -> None:
    assert len(GOLDEN) == 27
    assert {name for names in GOLDEN.values() for name in names} <= {rule.name for rule in RULES}
