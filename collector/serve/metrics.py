"""Numbers as Prometheus reads them, on a port of their own: TLS, and only for clients with a certificate of our authority.

Names begin with `chaperone_`; label values are rules, kinds, receivers and the like, never anything that was recorded.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from chaperone.collector.identity.folder import CERTIFICATE, KEY, TRUSTED
from chaperone.collector.serve.doors import DoorError

PREFIX = "chaperone_"


class Kind(StrEnum):
    """What a number does."""

    COUNTER = "counter"  # since the collector began
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number and its labels' values; of a histogram: how many were at most the label."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers of one name (without prefix and suffix). `whole`: of a histogram, the sum of all that was measured."""

    name: str
    about: str
    kind: Kind
    labels: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    whole: float = 0.0


Families = Callable[[], Iterable[Family]]


class Exposition(Collector):
    """What is asked for at each scrape."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """In the library's shapes."""
        yield from map(_exposed, self._families())


def _exposed(family: Family) -> Metric:
    if family.kind is Kind.HISTOGRAM:
        return _histogram(family)
    made = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = made(PREFIX + family.name, family.about, labels=family.labels)
    for sample in family.samples:
        metric.add_metric(sample.labels, sample.value)
    return metric


def _histogram(family: Family) -> Metric:
    metric = HistogramMetricFamily(PREFIX + family.name, family.about)
    metric.add_metric([], [(sample.labels[0], sample.value) for sample in family.samples], family.whole)
    return metric


class MetricsPort:
    """Serves /metrics in a thread. DoorError when it can't."""

    def __init__(self, address: str, tls: Path, families: Families) -> None:
        host, _, port = address.rpartition(":")
        registry = CollectorRegistry()
        registry.register(Exposition(families))
        self._tls = tls
        certificate, key, authority = (str(tls / name) for name in (CERTIFICATE, KEY, TRUSTED))
        try:
            self._server, self._thread = start_http_server(
                int(port),
                _bindable(host.strip("[]")),
                registry,
                certificate,
                key,
                authority,
                client_auth_required=True,
                tls_min_version=ssl.TLSVersion.TLSv1_2,
            )
        except (OSError, ValueError) as error:
            raise DoorError(f"cannot serve metrics on {address}: {error}") from None

    def renew(self) -> None:
        """Use our certificate as it is now; one that is just being replaced, the next time."""
        listening: Any = self._server.socket  # the library has wrapped it
        with suppress(OSError, ssl.SSLError):
            listening.context.load_cert_chain(self._tls / CERTIFICATE, self._tls / KEY)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _bindable(host: str) -> str:
    """All addresses are those of IPv4 on a kernel without IPv6; gRPC's port does the same by itself."""
    return "0.0.0.0" if host == "::" and not socket.has_dualstack_ipv6() else host
