"""The real process behind the port, asked over TLS."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.asked_port import asked
from support.tls_directories import authority, tls_directory

from chaperone.agent.health.front import Front
from chaperone.agent.health.report import Report
from chaperone.collector.identity.certificates import Pair, Subject

GOOD, BAD = Report(True, True, "a 1\n"), Report(False, True, "a 0\n")
AGENT, PROMETHEUS = Subject("chaperone-agent", ("chaperone:agents",)), Subject("chaperone-metrics")


class Told:
    """A front, and what it is told until something is so."""

    def __init__(self, tls: Path) -> None:
        self.said: list[str] = []
        self.front = Front(("127.0.0.1", 0), tls, self.said.append)

    def until(self, report: Report, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < deadline
            self.front.step((report.is_ready, report.is_alive), lambda: report)
            time.sleep(0.01)

    def answers(self, path: str, tls: Path | None = None) -> tuple[int, str]:
        return asked(self.front.port, path, tls)


@pytest.fixture
def parent() -> Pair:
    return authority()


@pytest.fixture
def told(tmp_path: Path, parent: Pair) -> Iterator[Told]:
    made = Told(tls_directory(tmp_path / "agent", parent, AGENT))
    yield made
    made.front.close()


def test_it_says_what_it_is_told(told: Told) -> None:
    told.until(GOOD, lambda: told.front.pid > 0)
    told.until(GOOD, lambda: told.answers("/readyz") == (200, "ok\n"))
    assert told.answers("/healthz") == (200, "ok\n")
    told.until(BAD, lambda: told.answers("/readyz") == (503, "no\n"))
    assert told.answers("/healthz") == (200, "ok\n")
    told.until(Report(False, False, ""), lambda: told.answers("/healthz") == (503, "no\n"))


def test_numbers_are_for_who_has_a_certificate(told: Told, parent: Pair, tmp_path: Path) -> None:
    told.until(GOOD, lambda: told.front.pid > 0)
    assert told.answers("/metrics")[0] == 403
    prometheus = tls_directory(tmp_path / "prometheus", parent, PROMETHEUS)
    told.until(GOOD, lambda: told.answers("/metrics", prometheus) == (200, "a 1\n"))
    stranger = tls_directory(tmp_path / "stranger", authority(), PROMETHEUS)
    with pytest.raises(OSError, match=r"alert|reset|EOF"):
        told.answers("/metrics", stranger)


def test_numbers_are_made_only_when_they_are_told(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaperone.agent.health.front.TELL_S", 3600)
    told.until(GOOD, lambda: told.front.pid > 0)
    asked: list[bool] = []

    def report(is_ready: bool) -> Report:
        asked.append(is_ready)
        return GOOD if is_ready else BAD

    for is_ready in (True, True, False, False):
        told.front.step((is_ready, True), partial(report, is_ready))
    assert asked == [False], "that it is ready was told before"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_its_process_has_no_privilege(told: Told) -> None:
    told.until(GOOD, lambda: told.front.pid > 0)
    told.until(GOOD, lambda: told.answers("/readyz")[0] == 200)
    status = Path(f"/proc/{told.front.pid}/status").read_text()
    assert "CapEff:\t0000000000000000" in status and "Uid:\t65534\t65534\t65534\t65534" in status


def test_one_that_dies_is_started_again(told: Told) -> None:
    told.until(GOOD, lambda: told.front.pid > 0)
    first = told.front.pid
    os.kill(first, 9)
    told.until(GOOD, lambda: told.front.pid not in (0, first))
    told.until(GOOD, lambda: told.answers("/readyz")[0] == 200)


def test_one_that_is_closed_begins_nothing(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaperone.agent.health.front.AGAIN_S", 0.0)
    told.until(GOOD, lambda: told.front.pid > 0)
    told.front.close()
    told.front.step((False, True), lambda: BAD)
    assert told.front.pid == 0 and told.said == []


def test_a_renewed_certificate_is_shown(told: Told, parent: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaperone.agent.health.front.REREAD_S", 0.0)
    monkeypatch.setattr("chaperone.agent.health.front.AGAIN_S", 0.0)
    told.until(GOOD, lambda: told.front.pid > 0)
    first = told.front.pid
    tls_directory(tmp_path / "agent", parent, AGENT)
    told.until(GOOD, lambda: told.front.pid not in (0, first))
    (tmp_path / "agent" / "tls.key").unlink()
    told.until(GOOD, lambda: bool(told.said))
    assert told.said == [f"nobody is told how we are: {tmp_path}/agent/tls.key: No such file or directory"]
    assert told.answers("/readyz")[0] in (200, 503), "the one before is good still"
