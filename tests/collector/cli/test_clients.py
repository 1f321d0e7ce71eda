"""`chaperone clients` prints its table, and calls unread stacks what the agent calls them."""

from typer.testing import CliRunner

from chaperone.agent.probe.stack import MARKS, NAMES, UNKNOWN
from chaperone.collector.cli.app import app
from chaperone.collector.cli.clients import STACKS


def test_every_stack_is_a_row() -> None:
    lines = CliRunner().invoke(app, ["clients"]).stdout.splitlines()
    assert len(lines) == len(STACKS) + 1
    for line, stack in zip(lines[1:], STACKS, strict=True):
        assert line.split()[0] == ("read" if stack.is_read else "unread")
        assert stack.name in line


def test_what_the_agent_can_name_is_in_the_table() -> None:
    called = {stack for _, stack in (*NAMES, *MARKS)} | {UNKNOWN}
    assert {stack.spoken for stack in STACKS if stack.spoken} <= called
    known = " ".join(f"{stack.name} {stack.spoken}" for stack in STACKS)
    assert all(name.removeprefix("Go's ") in known for name in called)
