"""What the apiserver of a run is."""

import os
from pathlib import Path

import pytest

from chaperone.collector.cli.launch.apiservers import find, normalised

CONFIG = """
apiVersion: v1
clusters:
- {name: a, cluster: {server: "https://API.example.org"}}
- {name: b, cluster: {server: "https://[fd00::1]:6443/prefix"}}
- {name: c, cluster: {}}
"""


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("https://Example.ORG", "example.org:443"),
        ("http://10.0.0.1/k8s", "10.0.0.1:80"),
        ("10.0.0.1:6443", "10.0.0.1:6443"),
        ("[::1]:6443", "[::1]:6443"),
        ("https://user:secret@host:1", "host:1"),
        ("host:notaport", None),
        ("", None),
    ],
)
def test_servers_are_normalised_to_host_and_port(server: str, address: str | None) -> None:
    assert normalised(server) == address


def test_all_files_of_kubeconfig_are_read_and_missing_ones_are_not_missed(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(CONFIG)
    (tmp_path / "two").write_text('{"clusters": [{"cluster": {"server": "https://two:8443"}}]}')
    found = find([], {"KUBECONFIG": f"{tmp_path}/one:{tmp_path}/none:{tmp_path}/two"}, "/nonexistent")
    assert found.addresses == ("api.example.org:443", "[fd00::1]:6443", "two:8443")
    assert found.notes == ()


def test_without_kubeconfig_the_users_own_file_counts(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text(CONFIG)
    assert "api.example.org:443" in find([], {}, str(tmp_path)).addresses


def test_options_and_the_cluster_around_us_are_added_once() -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::2", "KUBERNETES_SERVICE_PORT": "443"}
    found = find(["localhost:6443", "localhost:6443", "a b"], environment, "/nonexistent")
    assert found.addresses == ("localhost:6443", "[fd00::2]:443")
    assert found.notes == ("--apiserver a b is no HOST:PORT",)


@pytest.mark.parametrize("text", [b"a: [", b"\xff\xfe\xff", b"- 1", b"clusters: 5", b"clusters: [{cluster: [1]}, 7]", b"a: &a [*a]"])
def test_a_bad_kubeconfig_is_a_note_without_its_text_or_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "bad").write_bytes(text)
    found = find([], {"KUBECONFIG": str(tmp_path / "bad")}, "/nonexistent")
    assert found.addresses == ()
    assert all("could not be read" in note for note in found.notes)


def test_a_kubeconfig_in_a_pipe_is_left_to_cmd(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = find([], {"KUBECONFIG": str(tmp_path / "pipe")}, "/nonexistent")
    assert "not a regular file" in found.notes[0]
