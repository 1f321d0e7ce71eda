"""What is told to whoever asks how we are: two answers, and numbers as Prometheus reads them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from chaperone.agent.deliver.backlog import Backlog
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


def report_of(health: Health, backlog: Backlog) -> Report:
    """As it is now."""
    lines = (*_probes(health), *_backlog(backlog))
    return Report(health.is_ready, health.is_alive, "".join(f"{line}\n" for line in lines))


def _probes(health: Health) -> Iterator[str]:
    yield from _head("ready", "gauge", "1 while what self-probes say over TLS is recorded.")
    yield f"{PREFIX}ready {int(health.is_ready)}"
    yield from _head("self_probes_total", "counter", "Self-probes, by what became of them.")
    for outcome, count in sorted(health.counts.items()):
        yield f'{PREFIX}self_probes_total{{outcome="{outcome}"}} {count}'
    yield from _head("self_probe_seconds", "gauge", "How long the last self-probe took that was recorded.")
    yield f"{PREFIX}self_probe_seconds {health.seconds:.3f}"


def _backlog(backlog: Backlog) -> Iterator[str]:
    yield from _head("spool_bytes", "gauge", "Records on disk that no collector has acknowledged, of this agent or left by earlier ones.")
    yield f'{PREFIX}spool_bytes{{of="this"}} {backlog.disk}'
    yield f'{PREFIX}spool_bytes{{of="earlier"}} {backlog.earlier}'
    yield from _head("spool_limit_bytes", "gauge", "The most of them that the spool takes; 0 where there is none.")
    yield f"{PREFIX}spool_limit_bytes {backlog.limit}"
    yield from _head("unspooled_bytes", "gauge", "Records that no collector has acknowledged and that are in memory alone.")
    yield f"{PREFIX}unspooled_bytes {backlog.memory}"
    yield from _head("unacknowledged_seconds", "gauge", "Age of the oldest batch that no collector has acknowledged.")
    yield f"{PREFIX}unacknowledged_seconds {backlog.age_s:.3f}"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {about}"
    yield f"# TYPE {PREFIX}{name} {kind}"
