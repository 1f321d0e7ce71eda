"""Kubeconfigs and a pod's service account as access; what would weaken an answer or run a program is refused."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from support.lookup_api import TOKEN, in_base64, lookup_api, pod

from chaperone.collector.lookup.access import IN_CLUSTER, SERVICE, AccessError, access
from chaperone.collector.lookup.client import Client

KEY = "-----BEGIN PRIVATE KEY-----"


def test_a_kubeconfig_with_a_token_and_files_beside_it(tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api:
        found = access(str(api.kubeconfig()), {})
        assert found.names == {f"127.0.0.1:{api.port}"} and found.url == f"https://127.0.0.1:{api.port}"
        assert Client(found).pod("default", "web") == pod("web", True)
        assert api.asked == [("GET", "/api/v1/namespaces/default/pods/web", f"Bearer {TOKEN}", "chaperone-collector (look-up)")]


def test_a_token_file_is_read_anew(tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api:
        found = access(str(api.kubeconfig({"tokenFile": "token"})), {})
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        assert found.token() == TOKEN


@pytest.mark.parametrize("as_data", [True, False])
def test_a_client_certificate_and_data_in_base64(as_data: bool, tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True), client_certificates=True) as api:
        user = {"client-certificate": "client.crt", "client-key": "client.key"}
        if as_data:
            user = {f"{name}-data": in_base64(tmp_path / file) for name, file in user.items()}
        cluster = {"certificate-authority-data": in_base64(tmp_path / "ca.crt")}
        assert Client(access(str(api.kubeconfig(user, cluster)), {})).pod("default", "web") is not None


def test_in_a_pod_it_is_the_service_account(tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api:
        (tmp_path / "token").write_text(TOKEN)
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
        found = access(IN_CLUSTER, environment, tmp_path)
        assert found.names == {f"{host}:{api.port}" for host in ("127.0.0.1", *SERVICE)}
        assert Client(found).pod("default", "web") is not None


def test_a_port_of_443_may_be_left_out_of_an_authority(tmp_path: Path) -> None:
    with lookup_api(tmp_path) as api:
        found = access(str(api.kubeconfig(cluster={"server": "https://[FD00::1]"})), {})
        assert found.names == {"[fd00::1]:443", "[fd00::1]"}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no verification": ({}, {"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify can't be used"),
    "a proxy": ({}, {"proxy-url": "http://x"}, "proxy-url can't be used"),
    "a program": ({"exec": {"command": "aws"}}, {}, "an exec plugin can't be used for look-ups; name a user with a token"),
    "a password": ({"username": "a", "password": "hunter2"}, {}, "a password can't be used"),
    "no TLS": ({}, {"server": "http://127.0.0.1:1"}, "expected the server as https://HOST:PORT"),
    "no port": ({}, {"server": "https://127.0.0.1:api"}, "expected the server as https://HOST:PORT"),
    "a port too high": ({}, {"server": "https://127.0.0.1:65536"}, "expected the server as https://HOST:PORT"),
    "half a bracket": ({}, {"server": "https://[::1"}, "expected the server as https://HOST:PORT"),
    "no authority": ({}, {"certificate-authority-data": base64.b64encode("ÄÖÜ".encode()).decode()}, "no start line"),
    "a path": ({}, {"server": "https://127.0.0.1:1/k8s/c"}, "expected the server as https://HOST:PORT"),
    "no base64": ({"client-key-data": f"{KEY}%", "client-certificate": "client.crt"}, {}, "expected client-key-data in base64"),
    "no file": ({"client-key": "nowhere", "client-certificate": "client.crt"}, {}, "No such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_said_without_a_secret(case: str, tmp_path: Path) -> None:
    user, cluster, sentence = REFUSED[case]
    with lookup_api(tmp_path) as api, pytest.raises(AccessError) as raised:
        access(str(api.kubeconfig(user, cluster)), {})
    assert sentence in str(raised.value) and KEY not in str(raised.value) and "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "sentence"), [("[", "expected YAML"), ("{}", "expected a context called ''"), ("[1]", "expected a context")]
)
def test_a_file_that_is_none_is_said(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "k").write_text(text)
    with pytest.raises(AccessError, match=sentence):
        access(str(tmp_path / "k"), {})
    with pytest.raises(AccessError, match="No such file"):
        access(str(tmp_path / "none"), {})
    with pytest.raises(AccessError, match="this is no pod"):
        access(IN_CLUSTER, {})


def test_nothing_of_it_is_shown(tmp_path: Path) -> None:
    with lookup_api(tmp_path) as api:
        assert TOKEN not in repr(access(str(api.kubeconfig()), {}))
        assert TOKEN in json.dumps(json.loads(api.kubeconfig().read_text()))
