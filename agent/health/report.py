"""What is told to whoever asks how we are: two answers, and numbers as Prometheus reads them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from chaperone.agent.health.state import Health

PREFIX = "chaperone_agent_"
SIZE_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Report:
    """`metrics`: in Prometheus's text format."""

    is_ready: bool
    is_alive: bool
    metrics: str

    def packed(self) -> bytes:
        """For the process that answers."""
        return json.dumps(asdict(self)).encode()


def unpacked(data: bytes) -> Report:
    """What the agent said."""
    return Report(**json.loads(data))


def report_of(health: Health) -> Report:
    """As it is now."""
    return Report(health.is_ready, health.is_alive, "".join(f"{line}\n" for line in _lines(health)))


def _lines(health: Health) -> Iterator[str]:
    yield from _head("ready", "gauge", "1 while what self-probes say over TLS is recorded.")
    yield f"{PREFIX}ready {int(health.is_ready)}"
    yield from _head("self_probes_total", "counter", "Self-probes, by what became of them.")
    for outcome, count in sorted(health.counts.items()):
        yield f'{PREFIX}self_probes_total{{outcome="{outcome}"}} {count}'
    yield from _head("self_probe_seconds", "gauge", "How long the last self-probe took that was recorded.")
    yield f"{PREFIX}self_probe_seconds {health.seconds:.3f}"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {about}"
    yield f"# TYPE {PREFIX}{name} {kind}"
