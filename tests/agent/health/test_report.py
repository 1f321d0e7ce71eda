"""What is told: survives the way to the other process, and Prometheus's own parser reads it."""

from prometheus_client.parser import text_string_to_metric_families

from chaperone.agent.deliver.backlog import Backlog
from chaperone.agent.health.report import SIZE_LIMIT, report_of, unpacked
from chaperone.agent.health.state import Health, Outcome

BACKLOG = Backlog(disk=300, memory=20, earlier=7, limit=1000, age_s=12.5)


def numbers(health: Health) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(report_of(health, BACKLOG).metrics)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_it_comes_through_whole() -> None:
    report = report_of(Health().after(Outcome.SEEN, 0.25), BACKLOG)
    assert unpacked(report.packed()) == report and len(report.packed()) < SIZE_LIMIT
    assert (report.is_ready, report.is_alive) == (True, True)


def test_its_numbers_are_prometheus_s() -> None:
    health = Health().after(Outcome.SEEN, 0.25).after(Outcome.UNSEEN, 30, "why").after(Outcome.UNDONE, 1, "why")
    assert numbers(health) == {
        ("chaperone_agent_ready",): 0,
        ("chaperone_agent_self_probes_total", "seen"): 1,
        ("chaperone_agent_self_probes_total", "unseen"): 1,
        ("chaperone_agent_self_probes_total", "undone"): 1,
        ("chaperone_agent_self_probe_seconds",): 0.25,
        ("chaperone_agent_spool_bytes", "this"): 300,
        ("chaperone_agent_spool_bytes", "earlier"): 7,
        ("chaperone_agent_spool_limit_bytes",): 1000,
        ("chaperone_agent_unspooled_bytes",): 20,
        ("chaperone_agent_unacknowledged_seconds",): 12.5,
    }
