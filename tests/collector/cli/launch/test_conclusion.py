"""What happens to a session whose agent can't end it."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import collectors
from support.collectors import leave
from support.conversations import Conversation, pods

from chaperone.agent.deliver.cargo import load
from chaperone.agent.settings import SessionOptions, Settings, Storage
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.launch.agent import Report
from chaperone.collector.cli.launch.conclusion import Conclusion
from chaperone.collector.store.directory import SOCKET, holder
from chaperone.proto.ids import SessionId
from chaperone.proto.records import SessionStarted

SESSION = SessionId("5e55")
SILENT = Report(trouble="the agent was ended by signal 9", is_said=False)


class AgentDouble:
    """An agent that has ended with a report."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def finish(self, status: int, left: int) -> Report:
        return self.report


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store whose collector knows the session."""
    place = tmp_path / "store"
    with collectors.collector(place):
        collectors.send(place, [collectors.hello(), collectors.batch(1, [SessionStarted(SESSION, "run", 1)])])
        yield place


def concluded(store: Path, report: Report) -> list[str]:
    conclusion = Conclusion(SESSION, store / SOCKET, lambda: None)
    return list(conclusion.troubles(AgentDouble(report), 5, 0))  # type: ignore[arg-type]


def test_the_session_of_a_dead_agent_is_ended_and_says_why_it_is_incomplete(store: Path) -> None:
    assert concluded(store, SILENT) == []
    [row] = collectors.ask(store, "session.summary", session=SESSION)
    assert row["ended"] and row["status"] == 5
    assert row["missing"] == ["agent: the agent was ended by signal 9: what followed was not recorded"]


def test_an_agent_that_reported_has_ended_its_session_itself(store: Path) -> None:
    assert concluded(store, Report()) == []
    assert collectors.ask(store, "session.summary", session=SESSION)[0]["missing"] == ["the session has not ended"]


def test_a_collector_that_went_while_a_dead_agent_ended_is_replaced(store: Path) -> None:
    class Slow(AgentDouble):
        def finish(self, status: int, left: int) -> Report:
            leave(store)
            return super().finish(status, left)

    def reach() -> None:
        if holder(store) is None:
            running.enter_context(collectors.collector(store))

    with ExitStack() as running:
        assert list(Conclusion(SESSION, store / SOCKET, reach).troubles(Slow(SILENT), 5, 0)) == []  # type: ignore[arg-type]
        assert collectors.ask(store, "session.summary", session=SESSION)[0]["ended"]


def test_without_a_collector_the_end_that_is_missing_is_said(tmp_path: Path) -> None:
    def nobody() -> None:
        raise CommandError("no collector answers")

    conclusion = Conclusion(SESSION, tmp_path / SOCKET, nobody)
    troubles = list(conclusion.troubles(AgentDouble(SILENT), 5, 0))  # type: ignore[arg-type]
    assert troubles == ["no collector answers", "the agent was ended by signal 9", "the collector did not take the session's end"]


def test_what_the_dead_agent_had_on_disk_is_stored_before_the_end(tmp_path: Path) -> None:
    """Its collector died with it, so that nobody but the spool knows of the call."""
    place, one = tmp_path / "store", Conversation()
    with collectors.collector(place):
        cargo, _ = load(Settings((), (), "", SessionOptions(), storage=Storage(place / "spool")), "dead")
        for record in [*one.begun(), *one.exchange("/api/v1/pods", pods())]:
            cargo.outbox.put(record)
        assert cargo.outbox.spool
        cargo.outbox.remember(base64.b64decode((place / "spool.pub").read_bytes()))
        cargo.outbox.flush()
        cargo.outbox.spool.close()
        conclusion = Conclusion(one.session, place / SOCKET, lambda: None)
        assert list(conclusion.troubles(AgentDouble(SILENT), 5, 0)) == []  # type: ignore[arg-type]
        [row] = collectors.ask(place, "session.summary", session=one.session)
        assert row["calls"] == 1 and row["ended"] and row["status"] == 5
        assert row["missing"] == ["agent: the agent was ended by signal 9: what followed was not recorded"]
    assert [path.name for path in (place / "spool").iterdir()] == ["collector.key"]
