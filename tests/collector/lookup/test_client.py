"""Only GETs of single pods, in bounded time and size, over TLS that is verified."""

import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lookup_api import lookup_api, pod

from chaperone.collector.lookup import client as module
from chaperone.collector.lookup.access import access
from chaperone.collector.lookup.client import NAME, Client, UnansweredError

HOSTILE = ["../secrets/db", "web/../../secrets/db", "web?x", "web#", "web%2f", "", ".", "..", "a..b", "web\r\nX: y", "WEB", "web/log", "ü"]


def test_a_pod_that_is_not_there_is_none(tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api:
        found = Client(access(str(api.kubeconfig()), {}))
        assert (found.pod("default", "other"), found.pod("prod", "web")) == (None, None)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_anywhere_else(name: str, tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api:
        found = Client(access(str(api.kubeconfig()), {}))
        assert (found.pod("default", name), found.pod(name, "web")) == (None, None)
        assert api.asked == []


@given(st.text(alphabet="ab0.-/%?#\r\n A\x00", max_size=12))
def test_what_gets_into_a_path_is_a_name_and_nothing_else(name: str) -> None:
    if NAME.fullmatch(name):
        assert not set(name) & set("/%?#\r\n A\x00") and ".." not in name


@pytest.mark.parametrize(("status", "is_down"), [(401, False), (403, False), (429, True), (500, True), (302, True)])
def test_another_answer_is_said_and_whether_the_api_is_down(status: int, is_down: bool, tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api:
        api.status = status
        with pytest.raises(UnansweredError, match=f"answered {status} to a look-up") as raised:
            Client(access(str(api.kubeconfig()), {})).pod("default", "web")
        assert raised.value.is_down is is_down


@pytest.mark.parametrize("body", [b"x", b"[]", b'{"kind": "Secret"}', b"\0" * (module.LIMIT + 1)])
def test_what_is_no_pod_or_too_large_is_none_of_ours(body: bytes, tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api:
        api.body = body
        with pytest.raises(UnansweredError, match="something that is no pod"):
            Client(access(str(api.kubeconfig()), {}), timeout_s=30).pod("default", "web")


def test_a_server_that_another_ca_vouches_for_is_not_asked(tmp_path: Path) -> None:
    with lookup_api(tmp_path / "one", pod("web", True)) as api, lookup_api(tmp_path / "two") as other:
        trusting_another = api.kubeconfig(cluster={"certificate-authority": str(other.directory / "ca.crt")})
        with pytest.raises(UnansweredError, match="SSLCertVerificationError"):
            Client(access(str(trusting_another), {})).pod("default", "web")
        assert api.asked == []


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with lookup_api(tmp_path, pod("web", True)) as api, socket.create_server(("127.0.0.1", 0)) as silent:
        silently = api.kubeconfig(cluster={"server": f"https://127.0.0.1:{silent.getsockname()[1]}"})
        with pytest.raises(UnansweredError, match="TimeoutError"):
            Client(access(str(silently), {}), timeout_s=0.2).pod("default", "web")


def test_an_answer_that_only_trickles_in_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Trickling:
        def read1(self, size: int) -> bytes:
            threading.Event().wait(0.01)
            return b"x"

    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)
    with pytest.raises(TimeoutError):
        module._whole(Trickling())  # type: ignore[arg-type]
