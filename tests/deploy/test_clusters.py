"""What clusters of different makers ask of the chart: where the store lies, who may be critical, who renews certificates."""

import json
from datetime import timedelta
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from support.chart import CHART, DEPLOY, named, rendered

ABSENT = {".global", ".agent.updateStrategy.rollingUpdate.maxSurge"}  # helm's own, and what may be 0 only
NO_DISK = {"collector": {"persistence": {"enabled": False}}}


def notes(values: dict[str, Any]) -> str:
    """What helm prints at the end."""
    with helm_python.Chart.load(CHART) as chart:
        files: dict[str, str] = chart.render(values, name="chaperone", namespace="chaperone")
    return files["chaperone/templates/NOTES.txt"]


def store(values: dict[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The collector's volume of that name, and the claims that are made for it."""
    spec = named(rendered(values), "StatefulSet", "chaperone-collector")["spec"]
    found = [volume for volume in spec["template"]["spec"]["volumes"] if volume["name"] == "store"]
    return (found[0] if found else None), spec.get("volumeClaimTemplates", [])


def test_the_store_lies_where_the_values_say() -> None:
    volume, [claim] = store({})
    assert volume is None and claim["metadata"]["name"] == "store" and "storageClassName" not in claim["spec"]
    volume, [claim] = store({"collector": {"persistence": {"storageClass": "fast"}}})
    assert volume is None and claim["spec"]["storageClassName"] == "fast"
    existing = {"collector": {"persistence": {"existingClaim": "mine"}}}
    assert store(existing) == ({"name": "store", "persistentVolumeClaim": {"claimName": "mine"}}, [])
    assert store(NO_DISK) == ({"name": "store", "emptyDir": {}}, [])
    for one in rendered(existing):
        if one["kind"] == "StatefulSet":
            kubernetes_validate.validate(one, "1.30", strict=True)


@pytest.mark.parametrize(
    ("more", "reason"),
    [({"enabled": False}, "existingClaim needs collector.persistence.enabled"), ({}, "existingClaim is one volume")],
)
def test_an_existing_claim_that_could_not_serve_is_refused(more: dict[str, Any], reason: str) -> None:
    several = {"replicas": 3, "clickhouse": {"url": "https://c.example:8443/chaperone", "loginSecret": "login", "keysSecret": "keys"}}
    values = {"persistence": {"existingClaim": "mine", **more}, **({} if more else several)}
    with pytest.raises(helm_python.HelmError, match=reason):
        rendered({"collector": values})


def test_helm_says_what_a_store_without_volume_loses_and_what_to_do_where_no_class_is_the_default() -> None:
    pending, warning = "unbound immediate PersistentVolumeClaims", "WARNING: collector.persistence.enabled is off"
    assert pending in notes({}) and warning not in notes({})
    assert warning in notes(NO_DISK) and pending not in notes(NO_DISK)
    for of in ({"storageClass": "fast"}, {"existingClaim": "mine"}):
        text = notes({"collector": {"persistence": of}})
        assert pending not in text and warning not in text


def test_every_pod_that_is_critical_has_a_quota_that_names_its_priority() -> None:
    for values, name in (({}, "system-node-critical"), ({"priorityClassName": "mine"}, "mine")):
        objects = rendered(values)
        used = {one["spec"]["template"]["spec"]["priorityClassName"] for one in objects if one["kind"] == "DaemonSet"}
        quota = named(objects, "ResourceQuota", "chaperone-priority")
        kubernetes_validate.validate(quota, "1.30", strict=True)
        [scope] = quota["spec"]["scopeSelector"]["matchExpressions"]
        assert scope == {"scopeName": "PriorityClass", "operator": "In", "values": [name]} and used == {name}
    for without in ({"priorityClassName": ""}, {"resourceQuota": {"enabled": False}}):
        assert not [one for one in rendered(without) if one["kind"] == "ResourceQuota"]


def accounts(objects: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Of pods that DaemonSets make, and of all others."""
    found: dict[str, set[str]] = {"agents": set(), "others": set()}
    for one in objects:
        spec = one.get("spec", {})
        if "template" in (spec := spec.get("jobTemplate", {}).get("spec", spec)):
            whose = "agents" if one["kind"] == "DaemonSet" else "others"
            found[whose].add(spec["template"]["spec"].get("serviceAccountName", "default"))
    return found


def privileged_pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the agents, and of the clean-up."""
    return [named(objects, "DaemonSet", f"chaperone-{which}")["spec"]["template"]["spec"] for which in ("agent", "clean-up")]


def contexts(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [one["securityContext"] for one in (*pod.get("initContainers", []), *pod["containers"])]


def test_what_openshift_allows_is_what_the_chart_asks_for() -> None:
    allowed = {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "openshift.yaml").read_text())}
    constraints, objects = allowed["SecurityContextConstraints"], rendered({})
    asked = privileged_pods(objects)
    assert set(constraints["allowedCapabilities"]) == {
        name for pod in asked for one in contexts(pod) for name in one["capabilities"].get("add", [])
    }
    assert {"secret", "hostPath", "emptyDir"} <= {kind for pod in asked for one in pod["volumes"] for kind in one if kind != "name"}
    assert {kind for pod in asked for one in pod["volumes"] for kind in one} - {"name"} <= set(constraints["volumes"])
    for flag in ("hostPID", "hostNetwork", "hostIPC"):
        assert constraints[f"allow{flag[0].upper()}{flag[1:]}"] is any(pod.get(flag, False) for pod in asked)
    names = {"Unconfined": "unconfined", "RuntimeDefault": "runtime/default"}
    assert {names[one["seccompProfile"]["type"]] for pod in asked for one in contexts(pod)} == set(constraints["seccompProfiles"])
    made = accounts(objects)
    assert constraints["users"] == [f"system:serviceaccount:chaperone:{name}" for name in sorted(made["agents"])]
    assert {one["name"] for one in allowed["RoleBinding"]["subjects"]} == made["others"]


def test_under_selinux_agents_and_clean_up_have_the_type_that_values_say() -> None:
    for values, wanted in (
        ({}, {"level": "s0", "type": "spc_t"}),
        ({"agent": {"seLinuxOptions": {"type": "mine_t"}, "privileged": True}}, {"level": "s0", "type": "mine_t"}),
        ({"agent": {"seLinuxOptions": None}}, None),
    ):
        for pod in privileged_pods(rendered(values)):
            assert [one.get("seLinuxOptions") for one in contexts(pod) if one.get("runAsUser") == 0] == [wanted]


@pytest.mark.parametrize("strategy", [{"rollingUpdate": {"maxSurge": 1}}, {"rollingUpdate": {"maxSurge": "10%"}}, {"type": "Recreate"}])
def test_no_value_runs_two_agents_on_a_node(strategy: dict[str, Any]) -> None:
    with pytest.raises(helm_python.HelmError, match="updateStrategy"):
        rendered({"agent": {"updateStrategy": strategy}})
    for allowed in ({"type": "OnDelete", "rollingUpdate": None}, {"rollingUpdate": {"maxUnavailable": "10%", "maxSurge": 0}}):
        kubernetes_validate.validate(
            named(rendered({"agent": {"updateStrategy": allowed}}), "DaemonSet", "chaperone-agent"), "1.30", strict=True
        )


def hours(text: str) -> timedelta:
    return timedelta(hours=int(text.removesuffix("h")))


def test_an_authority_of_cert_manager_outlives_whatever_it_signed_and_keeps_its_key() -> None:
    """All who trust the old one have the new one by their own renewal, before the old one ends; until then both have one key."""
    made = {
        one["metadata"]["name"]: one["spec"]
        for one in rendered({"certificates": {"method": "certManager"}})
        if one["kind"] == "Certificate"
    }
    authority = made.pop("chaperone-authority")
    assert authority["privateKey"]["rotationPolicy"] == "Never"
    assert len(made) == 4
    for spec in made.values():
        assert spec["privateKey"]["rotationPolicy"] == "Always"
        assert hours(spec["renewBefore"]) < hours(spec["duration"]) < hours(authority["renewBefore"]) < hours(authority["duration"])


def values_named(text: str) -> set[str]:
    """Each `--set NAME=`."""
    return {word.partition("=")[0] for part in text.split("--set ")[1:] for word in part.split()[:1]}


def test_the_values_that_pages_tell_to_set_are_values() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    pages = [*(DEPLOY.parent / "docs").glob("*.md"), DEPLOY.parent / "README.md", CHART / "templates" / "NOTES.txt"]
    found = set().union(*(values_named(page.read_text()) for page in pages))
    assert "collector.persistence.existingClaim" in found
    for name in found:
        at = defaults
        for part in name.split("."):
            assert part in at, name
            at = at[part]


def test_the_schema_has_every_value_of_every_depth() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def missing(values: Any, of: dict[str, Any], at: str) -> list[str]:
        of = schema["$defs"][of["$ref"].rpartition("/")[2]] if "$ref" in of else of
        if not isinstance(values, dict) or of.get("additionalProperties", True) is not False:
            return []
        own = [f"{at}.{name}" for name in of["properties"].keys() ^ values.keys() if f"{at}.{name}" not in ABSENT]
        return own + [
            one for name in of["properties"].keys() & values.keys() for one in missing(values[name], of["properties"][name], f"{at}.{name}")
        ]

    assert missing(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "") == []
