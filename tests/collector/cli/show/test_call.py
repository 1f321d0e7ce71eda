"""A call's cells: its object, process and state in few words."""

import pytest
from support.documents import START, call, exchange, exec_call

from chaperone.collector.cli.show.call import COLUMNS, code, program, row, short, state, subject

NOW = (START + 60) * 1_000_000_000


def test_a_row_has_a_cell_for_every_column() -> None:
    shown = [cell if isinstance(cell, str) else cell.text for cell in row(call(), NOW)]
    assert dict(zip(COLUMNS, shown, strict=True)) == {
        "ID": "ca110000",
        "AGE": "59s",
        "PROCESS": "kubectl[4242]",
        "VERB": "get",
        "OBJECT": "secrets/db",
        "NAMESPACE": "default",
        "CODE": "200",
        "TOOK": "3.5ms",
        "STATE": "ok",
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (exec_call(), "pods/agent/exec"),
        (call(apiGroup="apps", resource="deployments", name="web"), "deployments.apps/web"),
        (call(name=""), "secrets"),
        (call(resource="", isResource=False, requestURI="/version?timeout=32s"), "/version"),
        (exchange(), "/index"),
    ],
)
def test_the_object_is_named(document: dict[str, object], expected: str) -> None:
    assert subject(document) == expected


def test_a_call_without_a_process_is_named_by_its_user_agent() -> None:
    unknown = {"id": "", "pid": None, "exe": "", "argv": []}
    assert program(call(process=unknown)) == "kubectl"
    assert program(call(process=unknown, userAgent="Helm/4.1.4")) == "Helm"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ok"),
        ({"phase": "stream"}, "open"),
        ({"complete": False}, "incomplete"),
        ({"ambiguous": ["duplicate keys"]}, "ambiguous"),
        ({"complete": False, "ambiguous": ["duplicate keys"]}, "incomplete"),
        ({"code": 403, "denied": {"rule": "no-exec"}}, "denied"),
        ({"code": None, "complete": False, "denied": {"rule": ""}}, "denied"),
        ({"code": 403}, "ok"),
    ],
)
def test_the_state_says_the_worst(changes: dict[str, object], expected: str) -> None:
    assert state(call(**changes)).text == expected


def test_a_call_without_answer_has_no_code() -> None:
    assert code(call(code=None)).text == "-"
    assert (code(call(code=404)).text, code(call(code=404)).style) == ("404", "bad")


def test_ids_are_shortened() -> None:
    assert short("0123456789abcdef") == "01234567"
