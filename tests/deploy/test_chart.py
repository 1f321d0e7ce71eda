"""The chart: rendered by Helm's own library for many values, against the schemas of the oldest and newest Kubernetes it is for."""

import itertools
import json
import re
import runpy
import tomllib
from collections.abc import Iterator
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml
from support.admission import GOVERN, asked, evaluated, is_allowed, is_matched
from support.chart import CHART, DEPLOY, named, rendered

from chaperone.agent.settings import Settings, parse
from chaperone.collector.__main__ import _settings

OTHERS = {"Certificate", "Issuer", "ServiceMonitor", "PodMonitor", "PrometheusRule"}  # of operators, whose schemas are not here
POLICY = {"apiVersion": "chaperone.dev/v1", "kind": "Policy", "metadata": {"name": "agents"}, "rules": []}
MATRIX: list[dict[str, Any]] = [
    dict(itertools.chain.from_iterable(choice.items() for choice in choices))
    for choices in itertools.product(
        [{}, {"certificates": {"method": "certManager"}}],
        [
            {},
            {
                "policies": {"agents.yaml": POLICY, "more": yaml.safe_dump(POLICY)},
                "defaultPolicy": False,
                "apiservers": ["api.example:6443"],
                "startupTaint": True,
            },
        ],
        [
            {},
            {
                "agent": {"privileged": True, "tolerations": [], "podLabels": {"a": "b"}, "extraEnv": [{"name": "A", "value": "b"}]},
                "collector": {
                    "persistence": {"enabled": False},
                    "alerts": "kind: Alerting\n",
                    "masking": "kind: Masking\n",
                    "alertsSecret": "slack",
                    "lookup": False,
                    "image": {"digest": "sha256:" + "0" * 64},
                },
                "metrics": {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")},
                "rbac": {"viewers": [{"kind": "Group", "name": "auditors", "apiGroup": "rbac.authorization.k8s.io"}]},
                "imagePullSecrets": [{"name": "registry"}],
            },
            {"agent": {"enabled": False}, "networkPolicy": {"enabled": False}, "admissionPolicy": {"enabled": False}},
        ],
    )
]


SEVERAL: dict[str, Any] = {
    "collector": {
        "replicas": 3,
        "extraEnv": [{"name": "A", "value": "b"}],
        "clickhouse": {"url": "https://clickhouse.example:8443/chaperone", "loginSecret": "login", "keysSecret": "keys"},
    }
}


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in objects:
        spec = one.get("spec", {})
        if "template" in (spec := spec.get("jobTemplate", {}).get("spec", spec)):
            yield spec["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def test_helm_lints_it() -> None:
    report = helm_python.lint(CHART, strict=True)
    assert report["errors"] == []
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("values", MATRIX, ids=range(len(MATRIX)))
def test_all_objects_are_what_kubernetes_takes(values: dict[str, Any]) -> None:
    release, namespace = ("chaperone", "chaperone") if len(values) % 2 else ("x", "security")
    version = "1.30" if "agent" in values else "1.36"
    for one in rendered(values, release, namespace):
        if one["kind"] not in OTHERS:
            kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("values", MATRIX, ids=range(len(MATRIX)))
def test_what_pods_mount_is_there(values: dict[str, Any]) -> None:
    """Secrets are made by the job or by cert-manager, ConfigMaps by the chart, or named by whoever installs it."""
    objects = rendered(values)
    maps = {one["metadata"]["name"] for one in objects if one["kind"] == "ConfigMap"}
    secrets = {f"chaperone-tls-{who}" for who in ("collector", "agent")} | {"slack"}
    for pod in pods(objects):
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for container in containers(pod):
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= set(volumes) | {"store"}
        assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} <= maps
        assert {volume["secret"]["secretName"] for volume in volumes.values() if "secret" in volume} <= secrets


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"agnet": {}}, "agnet"),
        ({"agent": {"spool": {"hostPath": "relative"}}}, "hostPath"),
        ({"certificates": {"method": "openssl"}}, "method"),
        ({"collector": {"image": {"digest": "sha256:short"}}}, "digest"),
        ({"rbac": {"viewers": [{"name": "x"}]}}, "kind"),
        ({"collector": {"replicas": 0}}, "replicas"),
        ({"collector": {"replicas": 2}}, "collector.replicas above 1 needs collector.clickhouse.url"),
        ({"collector": {"clickhouse": {"url": "https://c.example:8443/chaperone"}}}, "needs collector.clickhouse.loginSecret"),
        ({"collector": {"clickhouse": {"url": "http://c.example:8123/chaperone"}}}, "url"),
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(helm_python.HelmError, match=reason):
        rendered(values)


def test_every_default_is_allowed_by_the_schema_and_every_value_has_one() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(json.loads((CHART / "values.schema.json").read_text())["properties"]) == set(defaults) | {"global"}
    assert rendered(defaults) == rendered({})


def test_a_stolen_token_of_the_agent_reads_no_secret_and_changes_nothing() -> None:
    objects = rendered({})
    bound = [one for one in objects if one["kind"].endswith("Binding") and "subjects" in one]
    rules = [
        rule
        for one in bound
        if any(subject["name"] == "chaperone-agent" for subject in one["subjects"])
        for rule in named(objects, one["roleRef"]["kind"], one["roleRef"]["name"])["rules"]
    ]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}
    assert {resource for rule in rules for resource in rule["resources"]} == {"pods", "namespaces", "services", "endpointslices"}


def test_only_the_agent_and_the_clean_up_have_rights_on_their_node() -> None:
    for pod in pods(rendered({})):
        for container in containers(pod):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            if container["name"] in ("agent", "clean-up"):
                assert "privileged" not in context and context["capabilities"]["drop"] == ["ALL"]
                assert "hostNetwork" not in pod and pod.get("hostPID", False) is (container["name"] == "agent")
            else:
                assert (pod.get("securityContext") or context)["runAsNonRoot"] and context["capabilities"] == {"drop": ["ALL"]}
        if not {"agent", "clean-up"} & {container["name"] for container in containers(pod)}:
            assert not any("hostPath" in volume for volume in pod.get("volumes", []))


def test_of_the_node_the_agent_has_what_it_needs() -> None:
    """A hostPath that a node lacks keeps the pod from starting: none for tracefs, which is not used, nor for types, which any /sys has."""
    pod = named(rendered({}), "DaemonSet", "chaperone-agent")["spec"]["template"]["spec"]
    mounted = {volume["hostPath"]["path"]: volume["hostPath"]["type"] for volume in pod["volumes"] if "hostPath" in volume}
    assert mounted == {
        "/sys/fs/cgroup": "Directory",
        "/var/lib/chaperone/spool": "DirectoryOrCreate",
        "/run/chaperone": "DirectoryOrCreate",
        "/var/cache/chaperone": "DirectoryOrCreate",
    }


def test_never_two_agents_on_a_node() -> None:
    strategy = named(rendered({}), "DaemonSet", "chaperone-agent")["spec"]["updateStrategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 1}, "maxSurge would run the new one beside the old one"


def test_only_who_says_so_lets_a_collector_write() -> None:
    for values, is_there in (({}, False), ({"agent": {"allowEdits": True}}, True)):
        [agent] = named(rendered(values), "DaemonSet", "chaperone-agent")["spec"]["template"]["spec"]["containers"]
        assert ("--allow-edits" in agent["args"]) is is_there


def test_a_kubelet_asks_the_agent_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    objects = rendered({})
    agent = named(objects, "DaemonSet", "chaperone-agent")["spec"]["template"]["spec"]["containers"][0]
    settings = parse(agent["args"])
    (port,) = agent["ports"]
    assert isinstance(settings, Settings) and settings.health == ("", port["containerPort"])
    asked = {name: agent[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in asked.items()} == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert {(probe["port"], probe["scheme"]) for probe in asked.values()} == {(port["name"], "HTTPS")}
    policy = named(objects, "NetworkPolicy", "chaperone-agent")["spec"]["ingress"]
    assert policy == [{"ports": [{"port": port["containerPort"]}]}]


def test_a_kubelet_asks_the_collector_whether_its_store_works() -> None:
    for values, is_only in (({}, True), (SEVERAL, False)):
        objects = rendered(values)
        (collector,) = named(objects, "StatefulSet", "chaperone-collector")["spec"]["template"]["spec"]["containers"]
        assert collector["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics", "scheme": "HTTPS"}
        assert any(argument.startswith("--metrics=") for argument in collector["args"])
        assert named(objects, "Service", "chaperone-collector")["spec"].get("publishNotReadyAddresses", False) is is_only
        assert is_only or "publishNotReadyAddresses" not in named(objects, "Service", "chaperone-collectors")["spec"]


def test_logs_are_gathered_as_json_unless_the_values_say_otherwise() -> None:
    for values, told in (({}, ("json", "info")), ({"log": {"format": "text", "level": "warning"}}, ("text", "warning"))):
        objects = rendered(values)
        for kind, name in (("DaemonSet", "chaperone-agent"), ("StatefulSet", "chaperone-collector")):
            arguments = named(objects, kind, name)["spec"]["template"]["spec"]["containers"][0]["args"]
            assert [argument for argument in arguments if argument.startswith("--log-")] == [
                f"--log-format={told[0]}",
                f"--log-level={told[1]}",
            ]


def test_the_options_are_options_of_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    objects = rendered(MATRIX[-2] | {"apiservers": ["api.example:6443"]})
    collector = named(objects, "StatefulSet", "chaperone-collector")["spec"]["template"]["spec"]["containers"][0]
    assert _settings(collector["args"]).listening.reviews == "in-cluster"
    agent = named(objects, "DaemonSet", "chaperone-agent")["spec"]["template"]["spec"]["containers"][0]
    assert parse(agent["args"])


@pytest.mark.parametrize("more", [{}, {"certificates": {"method": "certManager"}}], ids=["job", "certManager"])
def test_agents_call_a_name_of_all_collectors_that_their_certificate_is_for(more: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    objects = rendered(SEVERAL | more)
    for one in objects:
        if one["kind"] not in OTHERS:
            kubernetes_validate.validate(one, "1.36", strict=True)
    agent = named(objects, "DaemonSet", "chaperone-agent")["spec"]["template"]["spec"]["containers"][0]
    (target,) = [argument.removeprefix("--target=") for argument in agent["args"] if argument.startswith("--target=")]
    host = target.removesuffix(":7443")
    service = named(objects, "Service", host.split(".")[0])["spec"]
    collectors = named(objects, "StatefulSet", "chaperone-collector")["spec"]
    assert service["clusterIP"] == "None" and service["selector"].items() <= collectors["template"]["metadata"]["labels"].items()
    hosts = named(objects, "Certificate", "chaperone-collector")["spec"]["dnsNames"] if more else certified(objects)
    assert host in hosts and collectors["replicas"] == 3


@pytest.mark.parametrize("more", [{}, {"certificates": {"method": "certManager"}}], ids=["job", "certManager"])
def test_collectors_ask_one_another_by_names_that_their_certificate_is_for_ready_or_not(more: Any) -> None:
    objects = rendered(SEVERAL | more)
    pod = named(objects, "StatefulSet", "chaperone-collector")["spec"]["template"]["spec"]
    [name] = [one for one in pod["containers"][0]["env"] if one["name"] == "POD_NAME"]
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    for number in range(3):
        arguments = [one.replace("$(POD_NAME)", f"chaperone-collector-{number}") for one in pod["containers"][0]["args"]]
        shared = _settings(arguments).shared
        assert shared.own == shared.collectors[number] == f"chaperone-collector-{number}.chaperone.svc:7443"
        service = named(objects, "Service", f"chaperone-collector-{number}")["spec"]
        assert service["selector"]["statefulset.kubernetes.io/pod-name"] == f"chaperone-collector-{number}"
        assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
        hosts = named(objects, "Certificate", "chaperone-collector")["spec"]["dnsNames"] if more else certified(objects)
        assert shared.own.removesuffix(":7443") in hosts
    assert len(shared.collectors) == 3
    if more:
        spec = named(objects, "Certificate", "chaperone-collector")["spec"]
        assert spec["usages"] == ["server auth", "client auth"] and spec["subject"] == {"organizations": ["chaperone:collectors"]}
        assert {one["spec"]["usages"][0] for one in objects if one["kind"] == "Certificate" and "usages" in one["spec"]} == {
            "server auth",
            "client auth",
        }


def test_a_collector_that_agents_call_knows_its_own_namespace_and_one_of_a_run_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaperone.collector.__main__.own_namespace", lambda: "security")
    [collector] = named(rendered({}), "StatefulSet", "chaperone-collector")["spec"]["template"]["spec"]["containers"]
    assert _settings(collector["args"]).own_namespace == "security"
    assert _settings([*collector["args"], "--own-namespace=elsewhere"]).own_namespace == "elsewhere"
    assert _settings(["--store", "/nowhere"]).own_namespace == ""


def test_one_collector_asks_nobody() -> None:
    objects = rendered({})
    [collector] = named(objects, "StatefulSet", "chaperone-collector")["spec"]["template"]["spec"]["containers"]
    assert "env" not in collector and not _settings(collector["args"]).shared.collectors
    assert [one["metadata"]["name"] for one in objects if one["kind"] == "Service" and "collector" in one["metadata"]["name"]] == [
        "chaperone-collector"
    ]


def certified(objects: list[dict[str, Any]]) -> list[str]:
    job = named(objects, "Job", "chaperone-certificates-1")["spec"]["template"]["spec"]["containers"][0]
    return [argument.removeprefix("--host=") for argument in job["args"] if argument.startswith("--host=")]


def test_collectors_of_one_database_get_its_login_and_keys_where_they_look_for_them() -> None:
    pod = named(rendered(SEVERAL), "StatefulSet", "chaperone-collector")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    shared = _settings([one.replace("$(POD_NAME)", "chaperone-collector-0") for one in container["args"]]).shared
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    assert shared.url == "https://clickhouse.example:8443/chaperone"
    assert (secrets[mounted[str(shared.login)]], secrets[mounted[str(shared.keys)]]) == ("login", "keys")


ADMIN = (("chaperone.dev", "policies", "admin"),)


def labels_policy() -> dict[str, Any]:
    return dict(named(rendered({}), "ValidatingAdmissionPolicy", "chaperone-labels")["spec"])


EVERYWHERE = ("pods", "pods/status", "namespaces", "namespaces/status", "namespaces/finalize")


@pytest.mark.parametrize("where", EVERYWHERE)
@pytest.mark.parametrize(
    ("before", "after", "groups", "expected"),
    [
        ({}, {}, [], True),
        ({}, {GOVERN: "record"}, [], True),
        ({GOVERN: "record"}, {GOVERN: "enforce"}, [], True),
        ({GOVERN: "record"}, {GOVERN: "record", "x": "y"}, [], True),
        ({GOVERN: "enforce"}, {GOVERN: "record"}, [], False),
        ({GOVERN: "record"}, {}, ["system:authenticated"], False),
        ({GOVERN: "record"}, None, [], False),
        ({GOVERN: "record"}, {}, ["system:masters"], True),
    ],
)
def test_nobody_frees_a_governed_pod(where: str, before: Any, after: Any, groups: list[str], expected: bool) -> None:
    assert is_allowed(labels_policy(), asked(where, before, after, groups)) is expected


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ((), False),
        ((("chaperone.dev", "policies", "update"),), False),
        ((("", "pods", "admin"),), False),
        (ADMIN, True),
    ],
)
def test_an_administrator_of_chaperone_may(rights: Any, expected: bool) -> None:
    """As `admins` of the chart and kubeadm's, EKS' and GKE's administrators are, who are not in system:masters."""
    assert is_allowed(labels_policy(), asked("pods", {GOVERN: "enforce"}, {}, ["kubeadm:cluster-admins"]), rights) is expected
    rules = named(rendered({}), "ClusterRole", "chaperone-admin")["rules"]
    assert [(*rule["apiGroups"], *rule["resources"], *rule["verbs"]) for rule in rules if "policies" in rule["resources"]] == [*ADMIN]


@pytest.mark.parametrize("where", ["bindings", "pods/binding"])
@pytest.mark.parametrize(
    ("labels", "expected"),
    [(None, True), ({"zone": "a"}, True), ({GOVERN: "enforce"}, True), ({GOVERN: "record"}, False), ({GOVERN: ""}, False)],
)
def test_a_binding_frees_nobody(where: str, labels: Any, expected: bool) -> None:
    assert is_allowed(labels_policy(), asked(where, None, labels, operation="CREATE")) is expected


@pytest.mark.parametrize(
    ("where", "operation"),
    [("pods/ephemeralcontainers", "UPDATE"), ("pods", "CREATE"), ("services", "UPDATE"), ("pods/eviction", "CREATE")],
)
def test_what_changes_no_label_of_a_pod_that_is_there_is_not_looked_at(where: str, operation: str) -> None:
    assert not is_matched(labels_policy(), asked(where, {}, {}, operation=operation))


READY = "chaperone.dev/agent-not-ready"
OTHER = {"key": "other", "effect": "NoSchedule"}
BEFORE = {"spec": {"taints": [{"key": READY, "effect": "NoExecute"}, OTHER]}, "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}


@pytest.mark.parametrize(
    ("spec", "about", "is_allowed"),
    [
        ({"taints": [OTHER]}, {}, True),
        ({}, {}, False),
        ({"taints": [*BEFORE["spec"]["taints"], {"key": "more", "effect": "NoExecute"}]}, {}, False),
        ({"taints": [OTHER], "unschedulable": True}, {}, False),
        ({"taints": [OTHER]}, {"labels": {"a": "x"}}, False),
        ({"taints": [OTHER]}, {"annotations": {}}, False),
        ({"taints": [OTHER]}, {"annotations": None}, False),
    ],
)
def test_the_collector_can_do_nothing_to_a_node_but_lift_its_taint(spec: Any, about: Any, is_allowed: bool) -> None:
    policy = named(rendered({"startupTaint": True}), "ValidatingAdmissionPolicy", "chaperone-startup")["spec"]
    user = {"username": "system:serviceaccount:chaperone:chaperone-collector"}
    changed = {name: value for name, value in (BEFORE["metadata"] | about).items() if value is not None}
    facts = {"oldObject": BEFORE, "object": {"spec": spec, "metadata": changed}, "request": {"userInfo": user}}
    assert all(evaluated(condition["expression"], facts) for condition in policy["matchConditions"])
    variables = {one["name"]: evaluated(one["expression"], facts) for one in policy["variables"]}
    assert all(evaluated(one["expression"], facts | {"variables": variables}) for one in policy["validations"]) is is_allowed


def test_nothing_that_a_tainted_node_waits_for_waits_for_the_node() -> None:
    tainted = rendered({"startupTaint": True})
    for pod in pods(tainted):
        tolerations = pod["tolerations"]
        assert any(one.get("key") in (None, READY) and one["operator"] == "Exists" and "effect" not in one for one in tolerations)
    rules = named(tainted, "ClusterRole", "chaperone-startup")["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]
    others = [rule for one in rendered({}) if one["kind"] == "ClusterRole" for rule in one["rules"] if "patch" in rule["verbs"]]
    assert [rule["resources"] for rule in others] == [["policies/status"]]


def test_the_images_are_those_of_the_archives_as_a_kubelet_names_them() -> None:
    version = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["version"]
    [packed] = re.findall(r'"oci-archive:\$out/chaperone-\$role\.tar:(\S+)"', (DEPLOY / "image.sh").read_text())
    archives = {packed.replace("$role", role).replace("$version", version) for role in ("agent", "collector")}
    asked = {container["image"] for pod in pods(rendered({})) for container in containers(pod)}
    assert {f"docker.io/library/{image}" for image in asked} == archives


def test_the_committed_manifests_are_the_chart() -> None:
    made = runpy.run_path(str(DEPLOY / "manifests.py"))["rendered"]()
    for name, text in made.items():
        assert (DEPLOY / "manifests" / name).read_text() == text, "run: make manifests"
    assert "helm.sh/hook" not in made["chaperone.yaml"], "applied at once, they would remove the agents"
    [clean_up] = yaml.safe_load_all(made["clean-up.yaml"])
    assert clean_up == named(rendered({}), "DaemonSet", "chaperone-clean-up")


def test_only_before_the_chart_is_removed_agents_end_then_nodes_are_cleaned_up_then_that_is_waited_for() -> None:
    hooks = [one for one in rendered({}) if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert {one["metadata"]["annotations"]["helm.sh/hook"] for one in hooks} == {"pre-delete"}, "an upgrade has its second locks stay"
    order = sorted(hooks, key=lambda one: int(one["metadata"]["annotations"]["helm.sh/hook-weight"]))
    assert [one["metadata"]["name"] for one in order if one["kind"] in ("Job", "DaemonSet")] == [
        "chaperone-removal-agents",
        "chaperone-clean-up",
        "chaperone-removal-nodes",
    ]
    assert [one["kind"] for one in order[:3]] == ["ServiceAccount", "Role", "RoleBinding"]
    shown = "helm.sh/hook-output-log-policy"  # a job that has succeeded is gone, and with it its log
    assert [one["metadata"]["annotations"].get(shown) for one in order if one["kind"] == "Job"] == ["hook-succeeded,hook-failed"] * 2


def test_nodes_are_cleaned_up_where_agents_are() -> None:
    values = {"agent": {"tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {"b": "c"}, "affinity": {"nodeAffinity": {}}}}
    for objects in (rendered({}), rendered(values)):
        agent, clean_up = (named(objects, "DaemonSet", f"chaperone-{which}")["spec"]["template"]["spec"] for which in ("agent", "clean-up"))
        for field in ("tolerations", "nodeSelector", "affinity", "priorityClassName"):
            assert agent.get(field) == clean_up.get(field)
    assert not [one for one in rendered({"agent": {"enabled": False}}) if "helm.sh/hook" in one["metadata"].get("annotations", {})]


def test_the_definition_of_policies_is_what_the_model_says_and_takes_policies_as_files_have_them() -> None:
    assert (CHART / "templates" / "definition.yaml").read_text() == runpy.run_path(str(DEPLOY / "definition.py"))["rendered"]()
    (found,) = [one for one in rendered({}) if one["kind"] == "CustomResourceDefinition"]
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    pack = DEPLOY.parent / "collector" / "rules" / "pack" / "default.yaml"
    for policy in [POLICY, *yaml.safe_load_all(pack.read_text())]:
        jsonschema.validate(policy, schema)
    with pytest.raises(jsonschema.ValidationError, match="denie"):
        jsonschema.validate(POLICY | {"rules": [{"name": "r", "when": "true", "do": "denie"}]}, schema)
