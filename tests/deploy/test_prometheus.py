"""Alert rules and dashboard: right in form, and about metrics that there are."""

import json
import re
import subprocess
from pathlib import Path

from support.promtool import promtool

from chaperone.agent.health.report import report_of
from chaperone.agent.health.state import Health
from chaperone.collector.pipeline.tally import Tally, alert_family, troubles_family
from chaperone.collector.serve.metrics import PREFIX, Kind
from chaperone.collector.survey import coverage_families

FOLDER = Path(__file__).parents[2] / "deploy" / "chart" / "files"
SUFFIXES = {Kind.COUNTER: ("_total",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}


def exposed() -> set[str]:
    families = [*Tally().families(), *coverage_families(0, {}), alert_family([]), troubles_family({})]
    of_agents = set(re.findall(r"^# TYPE (\w+)", report_of(Health()).metrics, re.MULTILINE))
    return {PREFIX + family.name + suffix for family in families for suffix in SUFFIXES[family.kind]} | of_agents


def expressions() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_rules_are_right_and_fire_for_what_they_are_about() -> None:
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]):
        done = subprocess.run([promtool(), *command], cwd=FOLDER, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


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
