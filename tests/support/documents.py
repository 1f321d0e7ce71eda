"""Documents in the shape of collector/store/document.py, for tests of what shows them: a call, a session and its parts."""

import json
from typing import Any

Document = dict[str, Any]
SESSION, STREAM, PROCESS = "5e" * 16, "57" * 16, "90" * 16
CALL, EXEC, OTHER = "ca11" + "0" * 28, "ca11" + "1" * 28, "0e" * 16
AT = "2026-01-02T03:04:05.{:09}Z"
START = 1_767_323_045  # Unix seconds of AT


def at(milliseconds: float) -> str:
    """A time of that minute's second."""
    return AT.format(int(milliseconds * 1_000_000))


def body(value: Any, **changes: Any) -> Document:
    """A JSON body; a str is its text."""
    data = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    kind = value.get("kind", "") if isinstance(value, dict) else ""
    fields = {"form": "json", "mediaType": "application/json", "kind": kind, "size": len(data), "wireSize": len(data), "complete": True}
    return fields | {"masked": 0, "encoding": "utf-8", "data": data} | changes


SECRET = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "db", "namespace": "default"}, "data": {"password": "[masked:15:2f]"}}


def call(**changes: Any) -> Document:
    """`kubectl get secret db -o json`."""
    return {
        "id": CALL,
        "session": SESSION,
        "stream": STREAM,
        "process": {"id": PROCESS, "pid": 4242, "exe": "/usr/bin/kubectl", "argv": ["kubectl", "get", "secret", "db", "-o", "json"]},
        "phase": "end",
        "time": at(100),
        "ended": at(103.5),
        "duration_ms": 3.5,
        "protocol": "h2",
        "method": "GET",
        "authority": "127.0.0.1:6443",
        "code": 200,
        "bytes": {"out": 310, "in": 420},
        "complete": True,
        "gaps": [],
        "requested": at(100),
        "answered": at(103),
        "requestURI": "/api/v1/namespaces/default/secrets/db",
        "verb": "get",
        "isResource": True,
        "apiGroup": "",
        "apiVersion": "v1",
        "resource": "secrets",
        "subresource": "",
        "namespace": "default",
        "name": "db",
        "userAgent": "kubectl/v1.37.1",
        "requestHeaders": [["accept", "application/json"], ["authorization", "[masked]"]],
        "hasRequestObject": False,
        "kubectlCommand": "kubectl get",
        "kubectlSession": "",
        "user": "system:serviceaccount:default:ai-agent",
        "userSource": "claimed",
        "impersonated": None,
        "auditID": "82e8d8f7-8083-48b1-8eaa-f1faa6a5def1",
        "responseHeaders": [["content-type", "application/json"]],
        "hasResponseObject": True,
        "ambiguous": [],
        "subprotocol": "",
        "exit": None,
        "requestBody": None,
        "responseBody": body(SECRET, masked=1),
    } | changes


def exec_call(**changes: Any) -> Document:
    """`kubectl exec agent -- ls` over a WebSocket that ended with 3."""
    upgraded = {"id": EXEC, "time": at(200), "ended": at(450), "duration_ms": 250.0, "code": 101, "protocol": "http/1.1", "auditID": ""}
    upgraded |= {"requestURI": "/api/v1/namespaces/default/pods/agent/exec?command=ls&command=-l+x", "resource": "pods"}
    upgraded |= {"name": "agent", "subresource": "exec", "hasResponseObject": False, "responseBody": None, "answered": at(210)}
    upgraded |= {"subprotocol": "v5.channel.k8s.io", "exit": {"code": 3, "reason": "NonZeroExitCode"}}
    return call(**upgraded) | changes


def piece(channel: str, text: str, milliseconds: float, **changes: Any) -> Document:
    """Text on a channel of exec_call."""
    content = body(text, form="text", mediaType="")
    place = {"call": EXEC, "session": SESSION, "stream": STREAM, "time": at(milliseconds), "direction": "in", "position": 10}
    return place | {"channel": channel, "body": content} | changes


def session(**changes: Any) -> Document:
    """A run of a script."""
    fields = {"id": SESSION, "workload": "run", "time": at(0), "user": "alice", "argv": ["bash", "-c", "kubectl get secret db"]}
    return fields | {"cwd": "/home/alice", "node": "n1", "apiservers": ["127.0.0.1:6443"], "ended": at(500), "status": 0} | changes


POD = {"namespace": "agents", "name": "coder", "pod": "agents/coder", "uid": "0f8fad5b-d9cb-469f-a165-70867728950e"}
POD |= {"container": "main", "containerID": "c0ffee", "image": "registry.example/coder:1", "serviceAccount": "agents:coder"}
POD |= {"owner": "ReplicaSet/coder-5d8", "runtimeClass": ""}


def pod_session(**changes: Any) -> Document:
    """A container of a pod."""
    about = {"user": "", "argv": [], "cwd": "", "workload": "coder", "lookedUp": POD, "labels": {"app": "coder"}}
    return session(**about, **changes)


def process(**changes: Any) -> Document:
    """kubectl, as the session saw it."""
    fields = {
        "id": PROCESS,
        "session": SESSION,
        "time": at(50),
        "pid": 4242,
        "exe": "/usr/bin/kubectl",
        "argv": ["kubectl", "get", "secret", "db"],
    }
    return fields | {"cwd": "/home/alice", "uid": 1000, "parent": None, "ended": at(110), "status": 0} | changes


def exchange(**changes: Any) -> Document:
    """A request to something else."""
    kept = ("session", "stream", "process", "phase", "time", "ended", "duration_ms", "protocol", "method", "authority", "code", "bytes")
    fields = {key: value for key, value in call().items() if key in (*kept, "complete", "gaps")}
    return fields | {"id": OTHER, "authority": "example.org", "path": "/index", "reason": "no Kubernetes path"} | changes


def connection(**changes: Any) -> Document:
    """kubectl's connection to the API server, of which 20 bytes were not captured."""
    return {
        "id": "c0" * 16,
        "session": SESSION,
        "process": PROCESS,
        "time": at(90),
        "cookie": 9,
        "local": "10.0.0.1:40000",
        "remote": "10.0.0.2:6443",
        "protocol": "tcp",
        "serverName": "api.test",
        "tls": "TLS 1.3",
        "ended": at(110),
        "bytes": {"out": 812, "in": 4096},
        "applicationBytes": {"out": 700, "in": 4000},
        "captured": {"out": 700, "in": 3980},
        "coverage": {"out": "complete", "in": "gap: 20 bytes"},
    } | changes


def verdict(**changes: Any) -> Document:
    """A deny of exec_call that nobody carried out."""
    fields = {"id": "fe" * 16, "session": SESSION, "time": at(200), "rule": "no-privileged-exec", "policy": "agents", "rules": "abc"}
    fields |= {"action": "deny", "enforce": "enforce", "effective": "enforce", "notCarriedOut": "nobody did", "severity": "high"}
    fields |= {"mitre": ["T1609"], "message": "exec into privileged pod default/agent by /usr/bin/kubectl", "moment": "request"}
    fields |= {"subject": "call", "key": EXEC, "call": EXEC, "stream": STREAM, "process": {"id": PROCESS}, "about": {"verb": "get"}}
    return fields | {"words": {}, "unknown": []} | changes
