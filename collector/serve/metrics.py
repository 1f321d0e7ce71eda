"""Numbers as Prometheus reads them.

Names begin with `chaperone_`; label values are rules, kinds, receivers and the like, never anything that was recorded.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

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


def exposed(families: Families, accepted: str) -> tuple[bytes, str]:
    """The numbers of now, in the form that a client accepts (its header Accept) or the oldest one, and that form's name."""
    registry = CollectorRegistry()
    registry.register(_Exposition(families))
    encode, form = choose_encoder(accepted)
    return encode(registry), form


class _Exposition(Collector):
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
