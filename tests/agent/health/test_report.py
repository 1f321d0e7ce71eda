"""What is told: survives the way to the other process, and Prometheus's own parser reads it."""

from prometheus_client.parser import text_string_to_metric_families

from chaperone.agent.health.report import SIZE_LIMIT, report_of, unpacked
from chaperone.agent.health.state import Health, Outcome


def numbers(health: Health) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(report_of(health).metrics)
    return {(sample.name, sample.labels.get("outcome", "")): sample.value for family in families for sample in family.samples}


def test_it_comes_through_whole() -> None:
    report = report_of(Health().after(Outcome.SEEN, 0.25))
    assert unpacked(report.packed()) == report and len(report.packed()) < SIZE_LIMIT
    assert (report.is_ready, report.is_alive) == (True, True)


def test_its_numbers_are_prometheus_s() -> None:
    health = Health().after(Outcome.SEEN, 0.25).after(Outcome.UNSEEN, 30, "why").after(Outcome.UNDONE, 1, "why")
    assert numbers(health) == {
        ("chaperone_agent_ready", ""): 0,
        ("chaperone_agent_self_probes_total", "seen"): 1,
        ("chaperone_agent_self_probes_total", "unseen"): 1,
        ("chaperone_agent_self_probes_total", "undone"): 1,
        ("chaperone_agent_self_probe_seconds", ""): 0.25,
    }
