"""Where the API server is."""

from chaperone.agent.pods.servers import KEPT_NS, Servers, of_service, of_slice


def test_a_service_has_its_addresses_in_both_families() -> None:
    spec = {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::0001"], "ports": [{"port": 443}]}
    assert of_service({"spec": spec}) == ("10.0.0.1:443", "[fd00::1]:443")
    assert of_service({"spec": {"clusterIP": "None"}}) == of_service({"spec": 7}) == of_service({}) == ()


def test_a_slice_has_its_endpoints_ready_or_not() -> None:
    endpoints = [{"addresses": ["192.0.2.1"], "conditions": {"ready": False}}, {"addresses": ["192.0.2.2"]}, {"addresses": 5}, "x"]
    ports = [{"port": 6443}, {"port": "odd"}, {"port": 0}]
    assert of_slice({"addressType": "IPv4", "endpoints": endpoints, "ports": ports}) == ("192.0.2.1:6443", "192.0.2.2:6443")
    assert of_slice({"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::2"]}], "ports": ports}) == ("[fd00::2]:6443",)
    assert of_slice({"addressType": "FQDN", "endpoints": endpoints, "ports": ports}) == ()


def test_what_went_counts_for_ten_minutes_more() -> None:
    servers = Servers(("api.example:6443",))
    servers.named("slice a", ("192.0.2.1:6443", "192.0.2.2:6443"), 0)
    servers.named("service kubernetes", ("10.0.0.1:443",), 0)
    servers.named("slice a", ("192.0.2.2:6443", "192.0.2.3:6443"), 5)
    known = {"api.example:6443", "10.0.0.1:443", "192.0.2.2:6443", "192.0.2.3:6443"}
    assert set(servers.addresses(4 + KEPT_NS)) == known | {"192.0.2.1:6443"}
    assert set(servers.addresses(5 + KEPT_NS)) == known
    servers.named("slice a", (), 9)
    assert set(servers.addresses(10)) == known
    assert set(servers.addresses(9 + KEPT_NS)) == {"api.example:6443", "10.0.0.1:443"}
