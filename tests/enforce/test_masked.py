"""Secrets that a real client is not to see: kubectl and curl, over HTTP/1.1 and HTTP/2, behind an agent without a kernel."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.apiserver import ApiServer, apiserver
from support.held_run import Held, held

__all__ = ["apiserver"]
ANSWERS = Path(__file__).parents[2] / "deploy/demo/answers"
SECRETS = "/api/v1/namespaces/default/secrets"
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
rules:
- name: no-secrets
  when: call.resource == "secrets" && call.verb in ["get", "list", "watch"]
  do: mask
  enforce: enforce
"""


@pytest.fixture
def masking(tmp_path: Path, apiserver: ApiServer) -> Iterator[Held]:
    with held(tmp_path, apiserver, POLICY) as found:
        yield found


def original() -> dict[str, str]:
    data: dict[str, str] = json.loads((ANSWERS / "default.secrets.db-cred.json").read_text())["data"]
    return data


def assert_stars(data: dict[str, str]) -> None:
    """Each value is base64 of stars, as many as it had bytes."""
    for name, value in original().items():
        assert base64.b64decode(data[name], validate=True) == b"*" * len(base64.b64decode(value))
        assert len(data[name]) == len(value)


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_kubectl_is_shown_stars(masking: Held, output: str) -> None:
    ran = masking.kubectl("get", "secret", "db-cred", "-o", output)
    assert ran.returncode == 0, ran.stderr
    shown: dict[str, Any] = yaml.safe_load(ran.stdout)
    assert shown["metadata"]["name"] == "db-cred"
    assert_stars(shown["data"])


def test_kubectl_lists_stars_and_tables_as_they_are(masking: Held) -> None:
    shown = json.loads(masking.kubectl("get", "secrets", "-o", "json").stdout)
    for item in shown["items"]:
        for value in item.get("data", {}).values():
            assert set(base64.b64decode(value)) <= {ord("*")}
    assert "db-cred" in masking.kubectl("get", "secrets").stdout


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("accept", ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"])
def test_every_form_stays_what_it_is(masking: Held, version: str, accept: str) -> None:
    place = masking.store / "answer"
    ran = masking.curl(version, "--compressed", "-H", f"Accept: {accept}", "-o", str(place), f"{masking.url}{SECRETS}/db-cred")
    assert ran.returncode == 0, ran.stderr
    found = place.read_bytes()
    for value in original().values():
        assert value.encode() not in found and base64.b64decode(value) not in found
    if "protobuf" in accept:
        recorded = (ANSWERS / "default.secrets.db-cred.protobuf.bin").read_bytes()
        for value in map(base64.b64decode, original().values()):
            recorded = recorded.replace(value, b"*" * len(value))
        assert found == recorded
    else:
        assert_stars(yaml.safe_load(found)["data"])


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_what_no_rule_masks_is_delivered_as_it_is(masking: Held, version: str) -> None:
    ran = masking.curl(
        version, f"{masking.url}/api/v1/namespaces/default/pods", "--next", *masking.common, version, f"{masking.url}{SECRETS}/none"
    )
    assert ran.stdout.startswith("{") and "agent" in ran.stdout and "not found" in ran.stdout


def test_the_recording_has_the_call_masked_as_ever(masking: Held) -> None:
    masking.kubectl("get", "secret", "db-cred", "-o", "json")
    calls = [call for call in masking.calls() if call["resource"] == "secrets"]
    assert [(call["code"], call["complete"]) for call in calls] == [(200, True)]
    assert "~masked-" in calls[0]["responseBody"]["data"]
