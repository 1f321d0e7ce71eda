"""`chaperone clients` prints its table, and calls unread stacks what the agent calls them."""

import json
from collections.abc import Callable

import pytest
import yaml
from typer.testing import CliRunner

from chaperone.agent.probe.stack import MARKS, NAMES, UNKNOWN
from chaperone.agent.sockets.report import QUIC
from chaperone.collector.cli.app import app
from chaperone.collector.cli.clients import STACKS


def test_every_stack_is_a_row() -> None:
    lines = CliRunner().invoke(app, ["clients"]).stdout.splitlines()
    assert len(lines) == len(STACKS) + 1
    for line, stack in zip(lines[1:], STACKS, strict=True):
        assert line.split()[0] == ("read" if stack.is_read else "unread")
        assert stack.name in line


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_the_table_is_documents_too(form: str, load: Callable[[str], list[dict[str, object]]]) -> None:
    found = load(CliRunner().invoke(app, ["clients", "-o", form]).stdout)
    assert [(one["stack"], one["read"], one["how"], one["clients"]) for one in found] == [
        (stack.name, stack.is_read, stack.how, stack.programs) for stack in STACKS
    ]
    assert {"stack": "NSS", "read": False, "how": "named, with its bytes", "clients": "tstclnt, Firefox", "calledInNotes": "NSS"} in found


def test_what_the_agent_can_name_is_in_the_table() -> None:
    called = {stack for _, stack in (*NAMES, *MARKS)} | {UNKNOWN, QUIC}
    assert {stack.spoken for stack in STACKS if stack.spoken} <= called
    known = " ".join(f"{stack.name} {stack.spoken}" for stack in STACKS)
    assert all(name.removeprefix("Go's ") in known for name in called)
