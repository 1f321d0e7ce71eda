"""Alert rules and dashboard: right in form, and about metrics that there are."""

import json
import re
import subprocess
from pathlib import Path

import yaml
from support.promtool import promtool

from chaperone.agent.deliver.backlog import Backlog
from chaperone.agent.health.report import report_of
from chaperone.agent.health.state import Health
from chaperone.collector.pipeline.tally import Tally, alert_family, lag_family, troubles_family
from chaperone.collector.serve.metrics import PREFIX, Family, Kind
from chaperone.collector.survey import coverage_families

FOLDER = Path(__file__).parents[2] / "deploy" / "chart" / "files"
PROMISED = {  # what somebody who watches over Chaperone was promised to see, by which labels
    "bytes captured": ("chaperone_captured_bytes_total", "direction"),
    "lost by reason": ("chaperone_lost_bytes_total", "cause"),
    "uncovered processes by TLS stack": ("chaperone_uncovered_connections_total", "stack"),
    "containers that nobody observes": ("chaperone_unobserved_containers", "why"),
    "sessions incomplete": ("chaperone_incomplete_sessions_total", "kind"),
    "spool bytes": ("chaperone_agent_spool_bytes", "of"),
    "spool age": ("chaperone_agent_unacknowledged_seconds",),
    "decisions by action and rule": ("chaperone_verdicts_total", "rule", "action"),
    "decision seconds": ("chaperone_decision_seconds_bucket", "le"),
    "time-outs": ("chaperone_holds_total", "order"),
    "store rows": ("chaperone_stored_rows_total", "kind"),
    "store lag": ("chaperone_store_lag_seconds",),
    "alerts by receiver and outcome": ("chaperone_alerts_total", "receiver", "outcome"),
    "readiness": ("chaperone_agent_ready",),
}
SUFFIXES = {Kind.COUNTER: ("_total",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}


def families() -> list[Family]:
    return [*Tally().families(), *coverage_families(0, {}), lag_family(0), alert_family([]), troubles_family({})]


def of_agents() -> str:
    return report_of(Health(), Backlog()).metrics


def exposed() -> set[str]:
    of_collectors = {PREFIX + family.name + suffix for family in families() for suffix in SUFFIXES[family.kind]}
    return of_collectors | set(re.findall(r"^# TYPE (\w+)", of_agents(), re.MULTILINE))


def labels_of(metric: str) -> set[str]:
    found = {label for family in families() if metric.removeprefix(PREFIX).startswith(family.name) for label in family.labels}
    return found | set(re.findall(rf"^{metric}{{(\w+)=", of_agents(), re.MULTILINE))


def rules() -> dict[str, str]:
    (group,) = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    return {rule["alert"]: " ".join(rule["expr"].split()) for rule in group["rules"]}


def expressions() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_rules_are_right_and_fire_for_what_they_are_about() -> None:
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]):
        done = subprocess.run([promtool(), *command], cwd=FOLDER, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    tests = yaml.safe_load((FOLDER / "rules_test.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(rules())
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == set(rules())


def test_a_rule_about_a_counter_sees_the_first_of_what_is_counted() -> None:
    counting = {name: expression for name, expression in rules().items() if "increase(" in expression}
    assert counting, "there are some"
    for name, expression in counting.items():
        (counted,) = re.findall(r"increase\((.+?)\[10m\]\)", expression)
        assert f"({counted} unless {counted} offset 10m) or increase(" in expression, name


def test_what_was_promised_is_exposed_with_its_labels_and_shown() -> None:
    shown = set(re.findall(r"\bchaperone_\w+", " ".join(expressions())))
    for what, (metric, *labels) in PROMISED.items():
        assert metric in exposed() & shown, what
        assert set(labels) <= labels_of(metric), what


def test_rules_and_dashboard_are_about_metrics_that_there_are() -> None:
    for text in ((FOLDER / "rules.yaml").read_text(), *expressions()):
        named = set(re.findall(r"\bchaperone_\w+", text))
        assert named and named <= exposed()


def test_each_metric_is_on_the_dashboard() -> None:
    shown = set(re.findall(r"\bchaperone_\w+", " ".join(expressions())))
    assert {name for name in exposed() if not name.endswith(("_sum", "_count"))} == shown


def test_the_dashboards_expressions_parse(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions())]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([promtool(), "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
