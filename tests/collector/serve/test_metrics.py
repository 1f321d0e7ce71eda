import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.promtool import promtool
from support.tls_directories import SERVER, authority, tls_directory

from chaperone.collector.identity.certificates import Pair, Subject
from chaperone.collector.serve.doors import DoorError
from chaperone.collector.serve.metrics import Family, Kind, MetricsPort, Sample


def families() -> Iterator[Family]:
    yield Family("seen", "What was seen.", Kind.COUNTER, ("kind",), (Sample(("call",), 3),))
    yield Family("trouble", "1 in trouble.", Kind.GAUGE, ("part",), (Sample(("store",), 0),))
    yield Family("decision_seconds", "How long.", Kind.HISTOGRAM, ("le",), (Sample(("0.1",), 1), Sample(("+Inf",), 2)), 5.5)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[MetricsPort, Path, Pair]]:
    parent = authority()
    port = MetricsPort("127.0.0.1:0", tls_directory(tmp_path / "tls", parent, SERVER), families)
    yield port, tmp_path, parent
    port.close()


def scraped(port: MetricsPort, tls: Path) -> str:
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    if (tls / "tls.crt").exists():
        context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
    with urllib.request.urlopen(f"https://127.0.0.1:{port._server.server_port}/metrics", context=context, timeout=20) as answer:
        return str(answer.read().decode())


def test_whoever_has_a_certificate_reads_them(served: tuple[MetricsPort, Path, Pair]) -> None:
    port, folder, parent = served
    text = scraped(port, tls_directory(folder / "prometheus", parent, Subject("prometheus")))
    assert 'chaperone_seen_total{kind="call"} 3.0' in text
    assert 'chaperone_trouble{part="store"} 0.0' in text
    assert 'chaperone_decision_seconds_bucket{le="+Inf"} 2.0' in text
    assert "chaperone_decision_seconds_sum 5.5" in text


def test_nobody_else_does(served: tuple[MetricsPort, Path, Pair]) -> None:
    port, folder, parent = served
    (folder / "nobody").mkdir()
    (folder / "nobody" / "ca.crt").write_bytes(parent.certificate)
    with pytest.raises((OSError, ssl.SSLError)):
        scraped(port, folder / "nobody")


def test_a_renewed_certificate_is_used(served: tuple[MetricsPort, Path, Pair]) -> None:
    port, folder, parent = served
    tls_directory(folder / "tls", parent, SERVER)
    port.renew()
    served_now = ssl.get_server_certificate(("127.0.0.1", port._server.server_port))
    assert served_now.encode() == (folder / "tls" / "tls.crt").read_bytes()
    (folder / "tls" / "tls.key").unlink()
    port.renew()
    assert ssl.get_server_certificate(("127.0.0.1", port._server.server_port)) == served_now


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_all_addresses_are_served_where_there_is_no_ipv6_too(tmp_path: Path, has_ipv6: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_ipv6:
        monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    parent = authority()
    port = MetricsPort("[::]:0", tls_directory(tmp_path / "tls", parent, SERVER), families)
    assert port._server.socket.family is (socket.AF_INET6 if has_ipv6 else socket.AF_INET)
    assert "chaperone_seen_total" in scraped(port, tls_directory(tmp_path / "prometheus", parent, Subject("prometheus")))
    port.close()


@pytest.mark.parametrize("address", ["127.0.0.1:x", "nonsense", "203.0.113.1:0"])
def test_an_address_that_is_none_is_said(tmp_path: Path, address: str) -> None:
    tls = tls_directory(tmp_path / "tls", authority(), SERVER)
    with pytest.raises(DoorError, match=f"cannot serve metrics on {address}"):
        MetricsPort(address, tls, families)


def test_promtool_finds_nothing_to_improve(served: tuple[MetricsPort, Path, Pair]) -> None:
    port, folder, parent = served
    text = scraped(port, tls_directory(folder / "prometheus", parent, Subject("prometheus")))
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
