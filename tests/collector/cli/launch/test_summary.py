"""The line at the end of a run."""

from pathlib import Path

import pytest

from chaperone.collector.cli.launch.summary import Ending, Recorded, line, readable, shortened

SESSION = "3f2a91c0" + "0" * 24


def test_a_whole_recording_says_so_and_how_to_see_it() -> None:
    assert line(Ending(SESSION, Recorded(3, 4100))) == (
        "chaperone: session 3f2a91c0 · 3 calls · 4.1 KB · complete · replay with: chaperone replay 3f2a91c0"
    )


def test_everything_that_is_missing_is_named_once() -> None:
    ending = Ending(SESSION, Recorded(1, 10, ("12 bytes lost",)), ("the agent was ended by signal 9", "12 bytes lost"))
    assert "1 call · 10 B · incomplete: the agent was ended by signal 9; 12 bytes lost · " in line(ending)


def test_a_store_that_cannot_be_asked_is_incomplete() -> None:
    assert "session 3f2a91c0 · incomplete: the store could not be asked · " in line(Ending(SESSION, None))


def test_processes_left_behind_and_a_named_store_are_in_the_line() -> None:
    shown = line(Ending(SESSION, Recorded(0, 0), left=2, store=Path("/tmp/a b")))
    assert "complete · 2 processes still running, no longer recorded · replay with: chaperone replay --store '/tmp/a b' 3f2a91c0" in shown


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (9960, "10 KB"), (999_600, "1.0 MB"), (12_345_678, "12 MB")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert readable(size) == text


def test_long_arguments_are_cut_between_arguments() -> None:
    assert shortened(["ab", "cd", "ef"], 6) == ("ab", "cd", "…")
    assert shortened(["ab"], 6) == ("ab",)


def test_what_rules_said_stands_before_completeness() -> None:
    shown = line(Ending(SESSION, Recorded(3, 4100, (), {"alert": 2, "deny": 1}, 1)))
    assert "3 calls · 4.1 KB · 2 alerts, 1 deny (1 not carried out) · complete" in shown
