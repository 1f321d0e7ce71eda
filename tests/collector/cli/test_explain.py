from pathlib import Path

from support import documents as d
from support.filled_store import filled
from support.judged_events import call, egress
from support.policies import EXAMPLE, HEAD, rules
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.explain import effective_mode, explanation
from chaperone.collector.rules.ruleset import ruleset
from chaperone.collector.rules.verdict import Moment

__all__ = ["filled"]
RUN = CliRunner().invoke
COUNTED = "- {name: two, when: call.verb == 'get', count: 2, within: 1m, do: alert}\n"


def lines(text: str, *events: object) -> dict[str, str]:
    found = explanation(ruleset(rules(text)), events, call().document)  # type: ignore[arg-type]
    return {line.split()[0]: line for line in found}


def test_every_rule_says_whether_it_matched_or_why_not() -> None:
    text = "- {name: yes, when: call.verb == 'get', do: alert}\n- {name: no, when: call.verb == 'list', do: deny}\n"
    text += "- {name: maybe, when: target.privileged, do: alert}\n- {name: out, when: egress.external, do: alert}\n" + COUNTED
    found = lines(text.replace("name: yes", "name: 'yes'").replace("name: no,", "name: 'no',"), call(resource="pods"), egress("x"))
    assert found["yes"].endswith("matched") and found["no"].endswith("   no")
    assert found["maybe"].endswith("unknown: target.privileged") and found["two"].endswith("1 of 2")
    assert found["out"].endswith("not asked: it speaks of something else")


def test_counts_come_from_what_went_before() -> None:
    earlier = call(second=1, id="d" * 32)
    assert lines(COUNTED, earlier, call(second=2))["two"].endswith("matched")


def test_a_moment_that_has_not_come_is_said() -> None:
    open_call = call(phase="request").document
    found = explanation(ruleset(rules("- {name: a, when: call.code == 200, do: alert}")), [call(Moment.REQUEST)], open_call)
    assert list(found)[1].endswith("not asked: it is judged at response, the call has come to request")


def test_the_effective_mode_has_its_reason() -> None:
    recording = HEAD + "mode: record\nrules:\n- {name: a, when: 'true', do: deny, enforce: enforce}\n"
    assert effective_mode(rules(recording)[0]) == "observe: its policy's mode is record here"
    assert [effective_mode(rule) for rule in rules(EXAMPLE)] == ["enforce", "observe: the rule says so"]


def test_a_recorded_call_is_explained_by_the_collectors_rules_or_named_ones(filled: Path, tmp_path: Path) -> None:
    told = RUN(app, ["rules", "explain", d.CALL, "--store", str(filled)]).stdout
    assert any(line.startswith("read-secrets") and line.endswith("matched") for line in told.splitlines()), told
    policy = tmp_path / "p.yaml"
    policy.write_text(EXAMPLE)
    told = RUN(app, ["rules", "explain", d.EXEC, "--policy", str(policy), "--store", str(filled)]).stdout
    assert "matched, as it is unknown: target.privileged" in told and "read-secrets" not in told


def test_status_names_files_and_digest(filled: Path) -> None:
    told = RUN(app, ["rules", "status", "--store", str(filled)]).stdout
    assert "Files:     default" in told and "Problem" not in told
