"""How results leave."""

import json

import pytest
import yaml

from chaperone.collector.cli import output
from chaperone.collector.cli.output import Form

FOUND = [{"a": "x\x1b[2J", "b": 1}, {"a": "é"}]


@pytest.mark.parametrize("form", [Form.JSON, Form.YAML])
def test_documents_survive_and_controls_are_escaped(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    output.documents(FOUND, form)
    printed = capsys.readouterr().out
    assert (json.loads if form is Form.JSON else yaml.safe_load)(printed) == FOUND
    assert "\x1b" not in printed


def test_json_lines_are_one_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.documents(FOUND, Form.JSONL)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == FOUND


@pytest.mark.parametrize("form", [Form.JSON, Form.JSONL, Form.YAML])
def test_one_document_is_no_array(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    output.document(FOUND[0], form)
    assert yaml.safe_load(capsys.readouterr().out) == FOUND[0]


def test_lines_are_printed_one_under_another(capsys: pytest.CaptureFixture[str]) -> None:
    output.say(iter(["a", "b"]))
    assert capsys.readouterr().out == "a\nb\n"


def test_a_file_gets_no_colours() -> None:
    assert not output.is_coloured()
