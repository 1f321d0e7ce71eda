"""The alert that nobody observes a container."""

from dataclasses import replace

from chaperone.collector.enforce.alert import alert_from, document
from chaperone.collector.enforce.unobserved import Unobserved, alert_of

ONE = Unobserved("demo/agent", "main", "c1", "n1", "runs in gVisor")


def test_it_says_who_and_why_and_comes_once_for_each() -> None:
    alert = alert_of(ONE, "2026-01-01T00:00:00Z")
    assert alert.message == "demo/agent/main is to be governed and nobody observes it: runs in gVisor"
    assert (alert.who.pod, alert.who.node, alert.who.workload) == ("demo/agent", "n1", "demo/agent/main")
    assert alert.id == alert_of(ONE, "2026-01-02T00:00:00Z").id != alert_of(replace(ONE, id="c2"), "2026-01-01T00:00:00Z").id
    assert alert_from(document(alert)) == alert, "it goes through the outbox"
