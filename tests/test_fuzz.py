"""`make fuzz` runs, counts what it ran, and fails when a property does."""

import random
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest
from support.wire_streams import Chunk

SCRIPT = Path(__file__).with_name("fuzz.py")


def test_a_second_of_it_passes_and_says_what_was_run() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--seconds", "1", "--seed", "1"], capture_output=True, text=True, check=True)
    assert "first seed 1" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" passed, 0 failed")


def test_a_failure_is_counted_and_says_how_to_have_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    def never_holds(fed: list[Chunk], chance: random.Random) -> None:
        raise AssertionError

    tally = fuzz.Tally()
    fuzz.run(fuzz.Case(never_holds, "curl-h2.1", 7), [], tally)
    assert len(tally.failed) == 1
    assert "again: python tests/fuzz.py --seed 7 --seconds 1 --only 'never_holds curl-h2.1'" in capsys.readouterr().out
