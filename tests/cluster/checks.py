"""Chaperone on a real kubelet and kube-apiserver, as its users install and use it: `make test-cluster`.

In their order: each goes on where the last one ended.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cluster.node import CHAPERONE, HELM, KUBECTL, ROOT, Cluster, chart, cluster, is_ready, until

IMAGE = "chaperone-collector:0.1.0"  # has a shell and Python
RELEASE = ["chaperone", "--namespace", "chaperone"]
OPTIONS = ["--disable-openapi-validation", "--server-side=false", "--set=admissionPolicy.enabled=false"]
FORWARD = "7444"


@pytest.fixture(scope="module")
def made() -> Iterator[Cluster]:
    """With a pod `bot` that may do everything and is to be recorded, and one that is privileged."""
    with cluster(ROOT / ".cluster") as found:
        volume = {"capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/var/lib/store"}}
        found.run("install", "-d", "-o", "65532", "/var/lib/store")
        bound = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}
        accounts = [("bot", "agents"), ("auditor", "default")]
        found.apply(
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "store"}, "spec": volume},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "agents", "labels": {"chaperone.dev/govern": "record"}}},
            *({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": of}} for name, of in accounts),
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "all"},
                **bound,
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": of} for name, of in accounts],
            },
        )
        yield found


def pod(name: str, namespace: str, *command: str, **security: Any) -> dict[str, Any]:
    tool = {"name": "kubectl", "mountPath": "/usr/local/bin/kubectl"}
    container = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": list(command),
        "securityContext": {"runAsUser": 0, **security},
        "volumeMounts": [tool],
    }
    spec = {
        "serviceAccountName": "bot" if namespace == "agents" else "default",
        "terminationGracePeriodSeconds": 1,
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "kubectl", "hostPath": {"path": str(KUBECTL), "type": "File"}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def are_ready(made: Cluster, namespace: str, count: int) -> bool:
    pods = made.get("pods", "-n", namespace)["items"]
    return sum(map(is_ready, pods)) == count and not any("deletionTimestamp" in one["metadata"] for one in pods)


def helm(made: Cluster, *argv: str) -> str:
    return made.run(HELM, *argv, timeout=400).stdout


def install(made: Cluster, *more: str) -> None:
    helm(made, "upgrade", "--install", *RELEASE, "--create-namespace", *OPTIONS, *more, str(chart(made.folder)))
    until(lambda: are_ready(made, "chaperone", 2), 180, lambda: made.kubectl("-n", "chaperone", "get", "pods,events").stdout)


def bot(made: Cluster, *argv: str) -> "subprocess.CompletedProcess[str]":
    """What the governed pod does."""
    return made.kubectl("-n", "agents", "exec", "bot", "--", *argv, check=False)


def ask(made: Cluster, *argv: str, account: str = "auditor", check: bool = True) -> str:
    """The command, by the token of a service account, through a port that kubectl forwards."""
    node = made.folder / "node"
    secrets = made.get("secrets", "-n", "default")["items"]
    (token,) = [one["data"]["token"] for one in secrets if one["metadata"]["name"].startswith(f"{account}-token")]
    authority = made.get("secret", "chaperone-tls-collector", "-n", "chaperone")["data"]["ca.crt"]
    script = f"""
    echo {token} | base64 -d > {node}/token; echo {authority} | base64 -d > {node}/ca.crt
    cp {made.folder}/pki/admin.kubeconfig {node}/account.kubeconfig
    {KUBECTL} --kubeconfig {node}/account.kubeconfig config set-credentials u --token="$(cat {node}/token)" >/dev/null
    {KUBECTL} -n chaperone port-forward service/chaperone-collector {FORWARD} >/dev/null 2>&1 & forward=$!
    while ! bash -c ': < /dev/tcp/localhost/{FORWARD}' 2>/dev/null; do sleep 0.1; done
    {CHAPERONE} --server localhost:{FORWARD} --ca {node}/ca.crt --kubeconfig {node}/account.kubeconfig "$@"
    status=$?; kill $forward; exit $status"""
    done = made.run("sh", "-c", script, "sh", *argv, check=check)
    return done.stdout or done.stderr


def calls(made: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ask(made, "calls", "list", "-o", "json"))
    return found


def audited(made: Cluster) -> dict[str, str]:
    """By the API server's own log what the pods' account asked, by audit id."""
    by = [event for event in made.audited() if event["user"]["username"] == "system:serviceaccount:agents:bot"]
    return {event["auditID"]: event["requestURI"] for event in by}


def asked_by_bot(made: Cluster) -> dict[str, str]:
    """Without what became another protocol, of which the client is told no id."""
    return {id_: uri for id_, uri in audited(made).items() if "/exec?" not in uri}


def executed_by_bot(made: Cluster) -> list[str]:
    return [uri for uri in audited(made).values() if "/exec?" in uri]


def test_it_is_installed_and_sees_that_it_records(made: Cluster) -> None:
    made.apply(pod("bot", "agents", "sleep", "infinity"), pod("privileged", "default", "sleep", "infinity", privileged=True))
    install(made)
    until(lambda: are_ready(made, "agents", 1) and are_ready(made, "default", 1))
    assert "a self-probe was recorded" in made.kubectl("-n", "chaperone", "logs", "daemonset/chaperone-agent").stdout


def test_a_pod_that_only_asks_once_is_recorded_with_its_names(made: Cluster) -> None:
    made.apply(pod("once", "agents", "kubectl", "get", "secrets", "-n", "agents", "-o", "name"))
    until(lambda: any(call["userAgent"].startswith("kubectl") and call["verb"] == "list" for call in calls(made)))
    until(lambda: set(asked_by_bot(made)) == {call["auditID"] for call in calls(made)}, 60, lambda: (asked_by_bot(made), calls(made)))
    assert re.search(r"agents/once/main +agents:bot .* complete", ask(made, "sessions", "list"))


def test_all_that_the_server_was_asked_is_recorded(made: Cluster) -> None:
    assert bot(made, "kubectl", "create", "secret", "generic", "db", "--from-literal=password=hunter2canary").returncode == 0
    assert "aHVudGVyMmNhbmFyeQ==" in bot(made, "kubectl", "get", "secret", "db", "-o", "yaml").stdout
    assert bot(made, "kubectl", "exec", "-n", "default", "privileged", "--", "sh", "-c", "echo said; exit 3").returncode == 3
    until(lambda: asked_by_bot(made).keys() <= {call["auditID"] for call in calls(made)}, 60, lambda: (asked_by_bot(made), calls(made)))
    (executed,) = [call for call in calls(made) if call["subresource"] == "exec" and call["code"] == 101]
    replay = ask(made, "replay", executed["session"], "--speed", "1000x")
    assert "said" in replay and "exit 3" in replay
    assert "hunter2canary" not in replay and "aHVudGVyMmNhbmFyeQ" not in replay


def test_who_has_no_token_follows_what_helm_printed(made: Cluster) -> None:
    """On the node, as its administrator, whose kubeconfig has a certificate."""
    notes = helm(made, "get", "notes", *RELEASE)
    commands = [line.strip() for line in notes.splitlines() if line.startswith("  ") and "7444" not in line.replace(" 7443 7444", "")]
    script = "\n".join(commands[1:]).replace("-n NAMESPACE", "-n agents").replace("mkdir", "sleep 3; mkdir")
    done = made.run("sh", "-c", f"cd {made.folder}/node; PATH={CHAPERONE.parent}:$PATH\n{script}\nkill $!", check=False)
    assert "agents/bot/main" in done.stdout, done.stderr


def test_who_may_view_one_namespace_sees_that_one_alone(made: Cluster) -> None:
    about = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "view", "namespace": "agents"}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "chaperone-viewer"}
    reader = {"kind": "ServiceAccount", "name": "reader", "namespace": "default"}
    made.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "default"}},
        {**about, "roleRef": role, "subjects": [reader]},
    )
    until(lambda: any(one["metadata"]["name"].startswith("reader-token") for one in made.get("secrets", "-n", "default")["items"]))
    assert "agents/bot/main" in ask(made, "sessions", "list", "-n", "agents", account="reader")
    assert "agents/bot" not in ask(made, "sessions", "list", "-n", "default", account="reader", check=False)
    assert "may not" in ask(made, "accesses", "list", account="reader", check=False)
    assert "system:serviceaccount:default:reader" in ask(made, "accesses", "list")


def test_what_a_governed_pod_makes_is_governed(made: Cluster) -> None:
    command = ["kubectl", "create", "deployment", "heir", "-n", "default", f"--image={IMAGE}", "--", "sleep", "infinity"]
    assert bot(made, *command).returncode == 0
    until(lambda: "default/heir-" in ask(made, "sessions", "list"), 60, lambda: made.kubectl("get", "pods", "-A").stdout)
    made.kubectl("delete", "deployment", "heir", "-n", "default")


def test_a_policy_denies_masks_and_asks_people(made: Cluster) -> None:
    rules = [
        {
            "name": "no-privileged-exec",
            "when": 'call.resource == "pods" && call.subresource in ["exec", "attach"] && target.privileged',
            "do": "deny",
        },
        {
            "name": "cluster-roles",
            "when": 'call.resource == "clusterroles" && call.verb == "create"',
            "do": "approve",
            "approvers": ["user:system:serviceaccount:default:auditor"],
            "holdLimit": "2m",
        },
        {"name": "masked", "when": 'call.resource == "secrets" && call.verb in ["get", "list", "watch"]', "do": "mask"},
    ]
    policy = {"selector": {"namespaces": ["agents"]}, "mode": "enforce", "rules": [{**rule, "enforce": "enforce"} for rule in rules]}
    made.apply({"apiVersion": "chaperone.dev/v1", "kind": "Policy", "metadata": {"name": "agents"}, **policy})
    until(lambda: "agents" in ask(made, "rules", "status"))
    time.sleep(3)  # until the agent has been told
    denied = bot(made, "kubectl", "exec", "-n", "default", "privileged", "--", "id")
    assert denied.returncode == 1 and 'denied by policy "no-privileged-exec"' in denied.stderr and "uid=0" not in denied.stdout
    assert not any("command=id" in uri for uri in executed_by_bot(made)) and any("command=sh" in uri for uri in executed_by_bot(made))
    assert bot(made, "kubectl", "get", "secret", "db", "-o", "jsonpath={.data.password}").stdout == "KioqKioqKioqKioqKg=="
    with subprocess.Popen(
        made.inside(
            KUBECTL, "-n", "agents", "exec", "bot", "--", "kubectl", "create", "clusterrole", "made", "--verb=get", "--resource=pods"
        ),
        env=made.environment,
    ) as waits:
        until(lambda: "pending" in ask(made, "approvals", "list"))
        (approval,) = json.loads(ask(made, "approvals", "list", "-o", "json"))
        assert made.kubectl("get", "clusterrole", "made", check=False).returncode == 1
        ask(made, "approvals", "approve", approval["id"], "--reason", "it is a test")
        assert waits.wait(60) == 0
    assert made.kubectl("get", "clusterrole", "made").returncode == 0


def test_an_upgrade_leaves_the_workload_alone_and_says_what_it_missed(made: Cluster) -> None:
    one = "kubectl get pods -n default >/dev/null || failed=$((failed + 1)); sleep 0.1"
    loop = f"failed=0; for i in $(seq 150); do {one}; done; echo failed: $failed"
    with subprocess.Popen(
        made.inside(KUBECTL, "-n", "agents", "exec", "bot", "--", "sh", "-c", loop), env=made.environment, stdout=subprocess.PIPE, text=True
    ) as busy:
        install(made, "--set=agent.selfProbeSeconds=30")
        assert "failed: 0" in busy.communicate(timeout=120)[0]
    (first, *_, last) = re.findall(r"(\w{8}) .*agents/bot/main", ask(made, "sessions", "list"))
    assert first != last and "the agent that recorded it ended: what followed was not recorded" in ask(made, "sessions", "show", first)


def test_a_broken_glass_lets_all_pass_and_is_told(made: Cluster) -> None:
    made.kubectl(
        "-n", "chaperone", "exec", "daemonset/chaperone-agent", "--", "chaperone", "break-glass", "--for", "5m", "--reason", "a test"
    )
    until(lambda: bot(made, "kubectl", "exec", "-n", "default", "privileged", "--", "id").returncode == 0)
    until(lambda: "break-glass" in ask(made, "alerts", "list"))


def test_it_is_removed_and_the_workload_goes_on(made: Cluster) -> None:
    said = made.run(HELM, "uninstall", *RELEASE, timeout=400)
    assert "every node is cleaned up" in said.stdout + said.stderr
    assert bot(made, "kubectl", "get", "pods", "-n", "default").returncode == 0
    until(lambda: not made.get("pods", "-n", "chaperone")["items"])
