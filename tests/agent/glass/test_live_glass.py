"""The real agent under the real launcher, told by the node's file alone; its collector says no to every change."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.deciding_collector import DecidingCollector
from support.enforced import until
from support.kernel import cgroup
from support.launched import NO, deciding, launching

from chaperone.agent.workload.processes import now_ns
from chaperone.proto.glass import SECOND, read, write
from chaperone.proto.records import BreakGlass, Note

__all__ = ["apiserver"]
pytestmark = pytest.mark.kernel
SCRIPT = """
step() { until [ -e $GO.$1 ]; do sleep 0.05; done; kubectl delete pod agent >$GO.out.$1 2>&1; echo $? >$GO.done.$1; }
step 1; step 2; step 3
"""
DENIED = str(NO.message)


@pytest.fixture
def collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DecidingCollector]:
    monkeypatch.setenv("CHAPERONE_BREAK_GLASS", str(tmp_path / "glass"))
    monkeypatch.setenv("GO", str(tmp_path / "go"))
    with deciding(tmp_path) as made:
        yield made


def glass(*options: str) -> dict[str, object]:
    """As a person at the node."""
    with cgroup() as nowhere:
        command = [sys.executable, "-m", "chaperone.agent.glass", f"--cgroup={nowhere}", *options]
        found: dict[str, object] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
        return found


def deleted(tmp_path: Path, number: int) -> str:
    """What kubectl says of the deletion that is allowed to begin now."""
    (tmp_path / f"go.{number}").touch()
    until((tmp_path / f"go.done.{number}").exists)
    return (tmp_path / f"go.out.{number}").read_text()


def test_what_was_denied_passes_while_the_glass_is_broken(tmp_path: Path, apiserver: ApiServer, collector: DecidingCollector) -> None:
    def said() -> list[BreakGlass]:
        return [record for record in collector.records() if isinstance(record, BreakGlass)]

    with launching(collector, apiserver, "sh", "-c", SCRIPT) as process:
        assert DENIED in deleted(tmp_path, 1)
        broken = glass("--for=10m", "--reason=deploys hang")
        until(lambda: len(said()) == 1)
        assert "deleted" in deleted(tmp_path, 2)
        glass("--end")
        until(lambda: len(said()) == 2)
        assert DENIED in deleted(tmp_path, 3)
        process.communicate(timeout=90)
    assert [asked["method"] for asked in apiserver.requests() if asked["method"] != "GET"] == ["DELETE"]
    first, last = said()
    assert (first.glass, first.why, first.ended) == (broken["broken"], "deploys hang", 0) and last.ended > first.time
    notes = [record.text for record in collector.records() if isinstance(record, Note) and record.subject == "break-glass"]
    assert len(notes) == 2 and "deploys hang" in notes[0] and notes[1] == "policies have their effect again"


def test_an_agent_that_begins_meanwhile_enforces_afterwards(tmp_path: Path, apiserver: ApiServer, collector: DecidingCollector) -> None:
    """No collector decides meanwhile, and its end needs nobody's word."""
    glass("--for=10m", "--reason=the collector is down")
    collector.is_silent = True
    with launching(collector, apiserver, "sh", "-c", SCRIPT) as process:
        assert "deleted" in deleted(tmp_path, 1)
        found = read(tmp_path / "glass")
        assert found is not None
        write(tmp_path / "glass", replace(found, until=now_ns() + SECOND))
        until(lambda: len([one for one in collector.records() if isinstance(one, BreakGlass) and one.ended]) == 2)
        collector.is_silent = False
        assert DENIED in deleted(tmp_path, 2)
        assert DENIED in deleted(tmp_path, 3)
        process.communicate(timeout=90)
    assert (tmp_path / "glass").exists(), "its time is over; nobody had to take it away"
