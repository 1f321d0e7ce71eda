"""`chaperone rules` on real files and recordings."""

from pathlib import Path

import pytest
from support.policies import EXAMPLE
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.rules.words import WORDS

RUN = CliRunner().invoke
CAPTURES = Path(__file__).parents[2] / "captures"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(EXAMPLE)
    return path


def test_check_says_how_many_rules_there_are(policy: Path) -> None:
    assert RUN(app, ["rules", "check", str(policy)]).stdout == f"{policy}: 2 rules\n"


def test_check_fails_with_file_line_and_key(policy: Path) -> None:
    policy.write_text(EXAMPLE.replace("target.privileged", "target.priviledged"))
    done = RUN(app, ["rules", "check", str(policy)])
    assert isinstance(done.exception, CommandError)
    assert f"{policy}:6: rules[0].when: expected a CEL condition" in done.exception.sentence


def test_a_websocket_exec_is_told_with_its_message(policy: Path) -> None:
    done = RUN(app, ["rules", "test", str(policy), "--capture", str(CAPTURES / "kubectl-exec-ws.2.jsonl.gz")])
    assert "deny by no-privileged-exec [high, enforce]: exec into privileged pod default/agent by" in done.stdout
    assert "(unknown: target.privileged)" in done.stdout


def test_a_capture_that_nothing_matches_says_so(policy: Path) -> None:
    done = RUN(app, ["rules", "test", str(policy), "--capture", str(CAPTURES / "curl-h2.1.jsonl.gz")])
    assert done.stdout == "curl-h2.1.jsonl.gz: no rule matches\n"


def test_list_and_words_name_everything(policy: Path) -> None:
    assert "secret-surge-then-egress" in RUN(app, ["rules", "list", str(policy)]).stdout
    told = RUN(app, ["rules", "words"]).stdout
    assert all(name in told for name in WORDS)
