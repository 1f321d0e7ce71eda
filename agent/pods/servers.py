"""Where the API server is: the `kubernetes` Service and its EndpointSlices → addresses as connections show them. Pure.

A pod's packet has the Service's address before it is translated and an endpoint's behind that; which of them a hook sees depends on
the network plugin, so both count. Endpoints that went are still spoken to for a while.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from chaperone.agent.pods.facts import items, text

KEPT_NS = 600_000_000_000
HTTPS = 443


@dataclass(slots=True)
class Servers:
    """The addresses by whoever names them; those that went with the time until which they count."""

    extra: tuple[str, ...] = ()
    _named: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _old: dict[str, int] = field(default_factory=dict)

    def named(self, by: str, addresses: tuple[str, ...], now: int) -> None:
        """A Service or slice names these and no others; () when it is gone."""
        for address in self._named.pop(by, ()):
            self._old[address] = now + KEPT_NS
        if addresses:
            self._named[by] = addresses

    def addresses(self, now: int) -> tuple[str, ...]:
        """All that count now, as host:port, IPv6 in brackets."""
        self._old = {address: until for address, until in self._old.items() if until > now}
        found = dict.fromkeys(address for some in self._named.values() for address in some)
        return tuple(dict.fromkeys((*self.extra, *found, *self._old)))


def of_service(service: Mapping[str, Any]) -> tuple[str, ...]:
    """The cluster addresses of a Service, with its names in the cluster's DNS."""
    spec = service.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    told = spec.get("clusterIPs")
    hosts = [*(told if isinstance(told, list) else ()), spec.get("clusterIP")]
    ports = _ports(spec)
    return tuple(dict.fromkeys(_joined(hosts, ports)))


def of_slice(endpoints: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses of an EndpointSlice, ready or not: one that is not may be spoken to still."""
    hosts = [host for one in items(endpoints, "endpoints") for host in _list(one.get("addresses"))]
    ports = _ports(endpoints)
    return tuple(dict.fromkeys(_joined(hosts, ports))) if text(endpoints, "addressType") in ("IPv4", "IPv6") else ()


def _joined(hosts: list[Any], ports: list[int]) -> Iterator[str]:
    for host in hosts:
        try:
            address = ip_address(host)
        except ValueError:  # "None", a name, or nothing
            continue
        for port in ports or [HTTPS]:
            yield f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _ports(of: Mapping[str, Any]) -> list[int]:
    found = (one.get("port") for one in items(of, "ports"))
    return [port for port in found if isinstance(port, int) and 0 < port < 1 << 16]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
