import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support.promtool import promtool
from support.tls_directories import SERVER, authority, tls_directory

from chaperone.collector.identity.certificates import Pair, Subject
from chaperone.collector.serve.doors import DoorError
from chaperone.collector.serve.metrics import Family, Kind, Sample
from chaperone.collector.serve.port import WatchPort


def families() -> Iterator[Family]:
    yield Family("seen", "What was seen.", Kind.COUNTER, ("kind",), (Sample(("call",), 3),))
    yield Family("trouble", "1 in trouble.", Kind.GAUGE, ("part",), (Sample(("store",), 0),))
    yield Family("decision_seconds", "How long.", Kind.HISTOGRAM, ("le",), (Sample(("0.1",), 1), Sample(("+Inf",), 2)), 5.5)


class Well:
    """Whether it is ready now."""

    def __init__(self) -> None:
        self.is_so = True

    def __call__(self) -> bool:
        return self.is_so


Served = tuple[WatchPort, Path, Pair, Well]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    parent, well = authority(), Well()
    port = WatchPort("127.0.0.1:0", tls_directory(tmp_path / "tls", parent, SERVER), families, well)
    yield port, tmp_path, parent, well
    port.close()


def asked(port: WatchPort, tls: Path, path: str) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    if (tls / "tls.crt").exists():
        context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port.port, timeout=20, context=context)
    connection.request("GET", path)
    with closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read().decode()


def scraped(port: WatchPort, tls: Path) -> str:
    status, text = asked(port, tls, "/metrics")
    assert status == 200
    return text


@pytest.fixture
def nobody(served: Served) -> Path:
    """Whoever trusts the authority and shows nothing."""
    (served[1] / "nobody").mkdir()
    (served[1] / "nobody" / "ca.crt").write_bytes(served[2].certificate)
    return served[1] / "nobody"


def test_whoever_has_a_certificate_reads_them(served: Served) -> None:
    port, folder, parent, _ = served
    text = scraped(port, tls_directory(folder / "prometheus", parent, Subject("prometheus")))
    assert 'chaperone_seen_total{kind="call"} 3.0' in text
    assert 'chaperone_trouble{part="store"} 0.0' in text
    assert 'chaperone_decision_seconds_bucket{le="+Inf"} 2.0' in text
    assert "chaperone_decision_seconds_sum 5.5" in text


def test_nobody_else_does(served: Served, nobody: Path) -> None:
    port, folder, _, _ = served
    assert asked(port, nobody, "/metrics") == (403, "show a certificate\n")
    stranger = tls_directory(folder / "stranger", authority(), Subject("prometheus"))
    (stranger / "ca.crt").write_bytes(served[2].certificate)
    with pytest.raises((OSError, ssl.SSLError)):
        scraped(port, stranger)


def test_whether_it_is_ready_is_told_to_anybody(served: Served, nobody: Path) -> None:
    port, _, _, well = served
    assert asked(port, nobody, "/readyz") == (200, "ok\n")
    well.is_so = False
    assert asked(port, nobody, "/readyz") == (503, "no\n")
    assert asked(port, nobody, "/")[0] == 404


def test_who_says_nothing_keeps_nobody_waiting(served: Served, nobody: Path) -> None:
    port = served[0]
    with ExitStack() as silent:
        for _ in range(10):
            silent.enter_context(socket.create_connection(("127.0.0.1", port.port)))
        assert asked(port, nobody, "/readyz") == (200, "ok\n")


def test_a_renewed_certificate_is_used(served: Served) -> None:
    port, folder, parent, _ = served
    tls_directory(folder / "tls", parent, SERVER)
    port.renew()
    served_now = ssl.get_server_certificate(("127.0.0.1", port.port))
    assert served_now.encode() == (folder / "tls" / "tls.crt").read_bytes()
    (folder / "tls" / "tls.key").unlink()
    port.renew()
    assert ssl.get_server_certificate(("127.0.0.1", port.port)) == served_now


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_all_addresses_are_served_where_there_is_no_ipv6_too(tmp_path: Path, has_ipv6: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_ipv6:
        monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    parent = authority()
    port = WatchPort("[::]:0", tls_directory(tmp_path / "tls", parent, SERVER), families, lambda: True)
    assert port.family is (socket.AF_INET6 if has_ipv6 else socket.AF_INET)
    assert "chaperone_seen_total" in scraped(port, tls_directory(tmp_path / "prometheus", parent, Subject("prometheus")))
    port.close()


@pytest.mark.parametrize("address", ["127.0.0.1:x", "nonsense", "203.0.113.1:0"])
def test_an_address_that_is_none_is_said(tmp_path: Path, address: str) -> None:
    tls = tls_directory(tmp_path / "tls", authority(), SERVER)
    with pytest.raises(DoorError, match=f"cannot serve metrics on {address}"):
        WatchPort(address, tls, families, lambda: True)


def test_promtool_finds_nothing_to_improve(served: Served) -> None:
    port, folder, parent, _ = served
    text = scraped(port, tls_directory(folder / "prometheus", parent, Subject("prometheus")))
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
