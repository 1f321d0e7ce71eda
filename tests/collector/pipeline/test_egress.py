from typing import Any

from chaperone.collector.pipeline.egress import Egress, authority

NAMED, KNOWN, NOTHING = "api.test:6443", "192.0.2.1:6443", ()


def connection(remote: str, **more: Any) -> dict[str, Any]:
    return {"local": "192.0.2.9:40000", "remote": remote, "protocol": "tcp", "serverName": "", **more}


def external(apiservers: tuple[str, ...], found: dict[str, Any], spoken: bool = False) -> bool | None:
    egress = Egress()
    egress.begun({"id": "s", "apiservers": list(apiservers)})
    if spoken:
        egress.bound("s", {"id": "t", "local": found["local"], "remote": found["remote"]})
        egress.spoke("s", "t")
    return egress.is_external("s", found)


def test_an_address_tells_at_once_where_apiservers_are_known_by_address() -> None:
    assert external((KNOWN,), connection(KNOWN)) is False
    assert external((KNOWN,), connection("198.51.100.7:6443")) is True


def test_the_port_of_an_apiserver_known_by_name_tells_only_at_the_end() -> None:
    assert external((NAMED,), connection("198.51.100.7:6443")) is None
    assert external((NAMED,), connection("198.51.100.7:443")) is True
    assert external((NAMED,), connection("198.51.100.7:6443", ended="x", serverName="api.test")) is False
    assert external((NAMED,), connection("198.51.100.7:6443", ended="x", serverName="evil.test")) is True


def test_a_connection_that_carried_calls_is_the_apiservers() -> None:
    assert external(NOTHING, connection("198.51.100.7:443")) is None
    assert external(NOTHING, connection("198.51.100.7:443", ended="x"), spoken=True) is False
    assert external(NOTHING, connection("198.51.100.7:443", ended="x")) is True


def test_udp_is_never_an_apiserver() -> None:
    assert external(NOTHING, connection("198.51.100.7:443", protocol="udp")) is True


def test_a_name_is_shown_rather_than_an_address() -> None:
    assert authority(connection("198.51.100.7:443", serverName="evil.test")) == "evil.test:443"
    assert authority(connection("198.51.100.7:443", names=["new.test", "old.test"])) == "new.test:443"
    assert authority(connection("198.51.100.7:443", serverName="evil.test", names=["new.test"])) == "evil.test:443"
    assert authority(connection("[2001:db8::1]:443")) == "[2001:db8::1]:443"


def test_a_session_that_is_over_is_forgotten() -> None:
    egress = Egress()
    egress.begun({"id": "s", "apiservers": [KNOWN]})
    egress.over("s")
    assert egress.is_external("s", connection("198.51.100.7:443")) is None
