import socket

import pytest

from chaperone.agent.deliver.route import Stop, route

THREE = ["10.0.0.1:7443", "10.0.0.2:7443", "10.0.0.3:7443"]


def test_a_node_has_one_order_and_nodes_have_different_ones() -> None:
    assert route(THREE, "node-1") == route(THREE[::-1], "node-1")
    assert len({route(THREE, f"node-{number}")[0] for number in range(30)}) == 3


def test_a_collector_that_goes_moves_only_its_own_nodes() -> None:
    for number in range(30):
        before, after = route(THREE, f"node-{number}"), route(THREE[:2], f"node-{number}")
        assert [stop for stop in before if stop in after] == after


def test_a_name_stands_for_all_its_addresses_and_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(host: str, port: int, **_: object) -> list[object]:
        if host != "collectors.test":
            raise socket.gaierror
        return [(0, 0, 0, "", (address, port)) for address in ("10.0.0.1", "fd00::1", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", told)
    found = route(["collectors.test:7443", "unknown.test:7443"], "node")
    assert set(found) == {Stop("10.0.0.1:7443", "collectors.test"), Stop("[fd00::1]:7443", "collectors.test")}
    assert len(found) == 2
    assert route(["unknown.test:7443"], "node") == [Stop("unknown.test:7443", "unknown.test")]


def test_an_address_and_a_socket_are_called_as_they_are() -> None:
    assert route(["unix:/run/collector.sock"], "node") == [Stop("unix:/run/collector.sock")]
    assert route(["127.0.0.1:7443"], "node") == [Stop("127.0.0.1:7443")]
    assert route(["[::1]:7443"], "node") == [Stop("[::1]:7443")]
