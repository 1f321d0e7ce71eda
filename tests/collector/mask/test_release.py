import gzip
import json
from base64 import b64encode
from typing import Any

import pytest
import yaml
from support.masking import leaves, make_body, make_call, on, survivors

from chaperone.collector.mask import release as module
from chaperone.collector.mask.known import Known
from chaperone.collector.mask.masker import Masker
from chaperone.collector.mask.release import opened
from chaperone.proto.ids import StreamId

CANARY, PLAIN = "Zq7xWv3pLm9k/T+b2", "correct horse"
MANIFEST = f"""---
# Source: web/secret.yaml
apiVersion: v1
kind: Secret
metadata: {{name: db}}
stringData: {{pw: "{CANARY}", word: {PLAIN}}}
---
apiVersion: apps/v1
kind: Deployment
spec: {{template: {{spec: {{containers: [{{name: web, image: nginx, env: [{{name: A, value: "x{CANARY}"}}]}}]}}}}}}
"""
RELEASE: dict[str, Any] = {
    "name": "web",
    "info": {"status": "deployed", "notes": f"use {CANARY} to log in"},
    "chart": {"metadata": {"name": "web", "version": "1.0"}, "values": {"replicas": 1, "password": CANARY}, "files": [{"data": CANARY}]},
    "config": {"db": {"pw": CANARY, "word": PLAIN}, "on": True},
    "manifest": MANIFEST,
    "hooks": [{"name": "h", "manifest": MANIFEST}, None],
    "version": 1,
}


def packed(release: Any) -> bytes:
    return b64encode(gzip.compress(json.dumps(release).encode()))


def kept(data: dict[str, str], kind: str = "Secret", media_type: str = "application/json") -> tuple[Any, Masker]:
    masker = Masker(b"k" * 32)
    masker.share(Known(), StreamId("s"))
    raw = {"kind": kind, "apiVersion": "v1", "metadata": {"name": "sh.helm.release.v1.web.v1"}, "data": data}
    resource = "secrets" if kind == "Secret" else "configmaps"
    body = make_body(json.dumps(raw).encode(), media_type)
    masked = masker.call(make_call(info=on(resource), response_body=body)).response_body
    assert masked is not None
    return yaml.safe_load(masked.data)["data"]["release"], masker


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
@pytest.mark.parametrize("media_type", ["application/json", "application/yaml"])
def test_a_release_keeps_its_structure_and_no_secret(kind: str, media_type: str) -> None:
    value = packed(RELEASE)
    view, masker = kept({"release": (b64encode(value) if kind == "Secret" else value).decode()}, kind, media_type)
    assert survivors(view, CANARY.encode()) == [] and survivors(view, PLAIN.encode()) == []
    assert view["name"] == "web" and view["info"]["status"] == "deployed" and view["chart"]["metadata"]["version"] == "1.0"
    secret, deployment = view["manifest"]
    assert secret["kind"] == "Secret" and secret["stringData"]["pw"].startswith(f"~masked-{len(CANARY)}-")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx"
    assert view["config"]["on"] is True and view["config"]["db"]["pw"] == secret["stringData"]["pw"]
    assert [hook and hook["name"] for hook in view["hooks"]] == ["h", None]
    assert view["chart"]["values"]["replicas"] == 1 and isinstance(view["chart"]["files"], str)
    assert CANARY not in masker.text(f"it was {CANARY}"), "what was in a release is known from then on"


@pytest.mark.parametrize(
    "value",
    [
        packed(["no release"]),
        packed({"name": "nothing else"}),
        packed(RELEASE)[:-8],
        b64encode(gzip.compress(b'{"manifest": ' + CANARY.encode())),
        b"H4sI" + CANARY.encode(),
    ],
)
def test_what_is_no_release_is_masked_whole(value: bytes) -> None:
    assert opened(value) is None
    view, _ = kept({"release": b64encode(value).decode()})
    assert view.startswith(f"~masked-{len(value)}-")


def test_inflation_and_parsing_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANIFESTS", 100)
    view, _ = kept({"release": b64encode(packed(RELEASE)).decode()})
    assert view["manifest"].startswith(f"~masked-{len(MANIFEST.encode())}-")
    monkeypatch.setattr(module, "INFLATED", 1000)
    assert opened(packed(RELEASE | {"filler": "x" * 10_000_000})) is None


def test_a_manifest_that_is_no_yaml_is_replaced() -> None:
    broken = RELEASE | {"manifest": f"a: b: {CANARY}\n---\nkind: Pod\n", "hooks": 7}
    view, _ = kept({"release": b64encode(packed(broken)).decode()})
    assert view["manifest"][0].startswith("~masked-") and view["manifest"][1] == {"kind": "Pod"} and view["hooks"] == 7
    assert not any(CANARY.encode() in leaf for leaf in leaves(view))
