"""The agent as the launcher sees it: what it says, or that it says nothing."""

import sys
from pathlib import Path

import pytest
from support import agent_double
from support.descriptors import descriptors

from chaperone.collector.cli.launch import agent
from chaperone.collector.cli.launch.failed import LaunchError


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setattr(agent, "AGENT", (sys.executable, agent_double.__file__))
    monkeypatch.setattr(agent, "READY_S", 3.0)
    monkeypatch.setenv("AGENT_DOUBLE_LOG", str(tmp_path / "log"))
    return monkeypatch


def test_a_ready_agent_reports_at_the_end(doubled: pytest.MonkeyPatch) -> None:
    running = agent.Agent([], {})
    running.wait_ready()
    assert running.finish(0, 0) == agent.Report(1, 1, 0, 0, "")


def test_its_own_sentence_is_the_reason_why_it_did_not_start(doubled: pytest.MonkeyPatch) -> None:
    doubled.setenv("AGENT_DOUBLE", "refuse")
    running = agent.Agent([], {})
    with pytest.raises(LaunchError) as caught:
        running.wait_ready()
    running.end()
    assert (caught.value.sentence, caught.value.fix) == ("BTF is missing", "use a kernel with BTF")


def test_an_agent_that_prints_no_report_has_failed(doubled: pytest.MonkeyPatch) -> None:
    doubled.setattr(agent, "AGENT", (sys.executable, "-c", "raise ValueError('bad luck')"))
    running = agent.Agent([], {})
    assert running.finish(0, 0).trouble == "the agent failed: ValueError: bad luck"


def test_no_descriptor_stays_open(doubled: pytest.MonkeyPatch) -> None:
    """Of one that stayed each round would have its own; threads of other tests may open some in a round."""
    assert not all(_opened() for _ in range(5))


def _opened() -> set[str]:
    before = descriptors()
    running = agent.Agent([], {})
    running.wait_ready()
    running.finish(0, 0)
    del running
    return descriptors() - before
