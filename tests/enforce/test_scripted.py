"""Real clients (kubectl, curl, Python) whose writes are held by an agent without a kernel, decided by a real collector."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import ask
from support.held_run import Held, held

__all__ = ["apiserver"]
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
rules:
- name: no-exec
  when: call.resource == "pods" && call.subresource == "exec"
  do: deny
  enforce: enforce
  message: "exec into {call.namespace}/{call.name}"
- name: no-delete
  when: call.verb == "delete" || call.resource == "configmaps" && call.verb == "create"
  do: deny
  enforce: enforce
  message: "nothing is changed here"
"""


@pytest.fixture
def denying(tmp_path: Path, apiserver: ApiServer) -> Iterator[Held]:
    with held(tmp_path, apiserver, POLICY) as found:
        yield found


def test_kubectl_exec_is_denied_with_the_rules_message(denying: Held) -> None:
    ran = denying.kubectl("exec", "agent", "-c", "main", "--", "sh", "-c", "exit 3")
    told = 'error: unable to upgrade connection: pods "agent" is forbidden: denied by policy "no-exec": exec into default/agent\n'
    assert (ran.stderr, ran.returncode) == (told, 1)  # the words before ours are kubectl's, of any 403 to an upgrade
    assert not [uri for _, uri in denying.asked() if uri.endswith("/exec")]
    calls = {(call["verb"], call["subresource"]): call for call in denying.calls()}
    assert calls["get", ""]["code"] == 200 and "denied" not in calls["get", ""]
    denied = calls["get", "exec"] if ("get", "exec") in calls else calls["create", "exec"]
    assert (denied["code"], denied["phase"], denied["denied"]["rule"]) == (403, "end", "no-exec")
    [verdict, *_] = ask(denying.store, "verdicts.list", action="deny")
    assert verdict["notCarriedOut"] == ""


def test_kubectl_says_who_forbids_what(denying: Held) -> None:
    ran = denying.kubectl("delete", "pod", "agent")
    told = 'Error from server (Forbidden): pods "agent" is forbidden: denied by policy "no-delete": nothing is changed here\n'
    assert (ran.stderr, ran.returncode) == (told, 1)
    assert "DELETE" not in [method for method, _ in denying.asked()]


def test_what_no_rule_denies_works_as_ever(denying: Held) -> None:
    ran = denying.kubectl("get", "pods", "-o", "name")
    assert (ran.returncode, ran.stderr) == (0, "") and "pod/agent" in ran.stdout
    assert {"pass"} >= set(denying.agent.orders) - {"skip", "write"}


def test_leases_and_health_are_left_alone_by_a_rule_about_all_writes_and_reads(tmp_path: Path, apiserver: ApiServer) -> None:
    every = POLICY.replace('call.verb == "delete" || call.resource == "configmaps" && call.verb == "create"', 'call.method != ""')
    lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/leader"
    with held(tmp_path, apiserver, every) as found:
        form = ["-A", "kubectl", "-o", "/dev/null", "-w", "%{http_code}\n"]
        put = ["-X", "PUT", "-H", "Content-Type: application/json", "--data-binary", "{}"]
        told = [found.curl(*form, f"{found.url}{uri}", *more).stdout for uri, more in (("/readyz", []), (lease, put), ("/version", []))]
        assert found.asked() == [("GET", "/readyz"), ("PUT", lease)]
    assert "403" not in "".join(told[:2]) and told[2] == "403\n"


def test_a_denied_request_of_http2_leaves_its_connection_usable(denying: Held) -> None:
    pods, pod = f"{denying.url}/api/v1/namespaces/default/pods", f"{denying.url}/api/v1/namespaces/default/pods/agent"
    form = ["-w", "%{http_version} %{http_code} %{num_connects}\n", "-o", str(denying.store / "body")]
    ran = denying.curl(
        "--http2", *form, pods, "--next", *denying.common, *form, "-X", "DELETE", pod, "--next", *denying.common, *form, pods
    )
    assert ran.stdout.splitlines() == ["2 200 1", "2 403 0", "2 200 0"], ran.stderr
    assert denying.asked() == [("GET", "/api/v1/namespaces/default/pods")] * 2
    assert [call["code"] for call in denying.calls()] == [200, 403, 200]


def test_a_denied_request_of_http1_is_replaced_by_a_harmless_one(denying: Held) -> None:
    pods = f"{denying.url}/api/v1/namespaces/default/configmaps"
    form = ["-w", "%{http_version} %{http_code} %{num_connects}\n", "-o", str(denying.store / "body")]
    body = denying.store / "big"
    body.write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "y" * 200_000}}))
    post = ["-H", "Expect:", "-H", "Content-Type: application/json", "--data-binary", f"@{body}", pods]
    ran = denying.curl(
        "--http1.1", *form, *post, "--next", *denying.common, "--http1.1", *form, f"{denying.url}/api/v1/namespaces/default/pods"
    )
    assert ran.stdout.splitlines() == ["1.1 403 1", "1.1 200 0"], ran.stderr
    assert denying.asked() == [("GET", "/healthz"), ("GET", "/api/v1/namespaces/default/pods")]
    first = denying.server.requests()[0]
    calls = denying.calls()
    assert first["userAgent"] == f"chaperone-refusal/{calls[0]['id']}"
    assert [(call["method"], call["code"]) for call in calls] == [("POST", 403), ("GET", 200)]
    assert len(calls[0]["requestBody"]["data"]) > 200_000


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_body_that_waits_for_the_server_is_denied_by_its_head(denying: Held, version: str) -> None:
    form = ["-w", "%{http_version} %{http_code}\n", "-o", str(denying.store / "body")]
    body = denying.store / "big"
    body.write_bytes(b'{"data": {"x": "' + b"y" * 3_000_000 + b'"}}')  # more than either window takes, and curl expects 100-continue
    post = ["-H", "Content-Type: application/json", "--data-binary", f"@{body}", f"{denying.url}/api/v1/namespaces/default/configmaps"]
    get = ["--next", *denying.common, version, *form, f"{denying.url}/api/v1/namespaces/default/pods"]
    ran = denying.curl(version, *form, *post, *get)
    assert [line.split()[1] for line in ran.stdout.splitlines()] == ["403", "200"], ran.stderr
    assert ("POST", "/api/v1/namespaces/default/configmaps") not in denying.asked()
    assert [(call["method"], call["code"]) for call in denying.calls()] == [("POST", 403), ("GET", 200)]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_big_body_that_is_allowed_arrives_whole(denying: Held, version: str) -> None:
    body = denying.store / "big"
    body.write_bytes(os.urandom(3_000_000))
    ran = denying.curl(version, "-H", "Content-Type: application/octet-stream", "--data-binary", f"@{body}", f"{denying.url}/demo/swallow")
    told = json.loads(ran.stdout)
    assert (told["size"], told["sha256"]) == (3_000_000, hashlib.sha256(body.read_bytes()).hexdigest())
