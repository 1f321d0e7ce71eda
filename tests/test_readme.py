"""The README's commands are run and their output compared; each command and option of the CLI occurs in the docs.

A fenced `console` block holds commands behind `$ ` and what they print; in expected output a `…` stands for anything.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from chaperone.collector.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def blocks() -> list[str]:
    return BLOCK.findall(README)


def steps(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with its expected output."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, expected) for command, _, expected in (part.partition("\n") for part in parts)]


def pattern(expected: str) -> str:
    return re.escape(expected.strip()).replace("…", "[^\n]*")


def run(command: str, store: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CHAPERONE_STORE": str(store), "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return (done.stdout + done.stderr).strip()


def check(block: str, store: Path) -> None:
    for command, expected in steps(block):
        printed = run(command, store)
        assert re.fullmatch(pattern(expected), printed, re.DOTALL), f"$ {command}\n{printed}"


@pytest.mark.parametrize("block", blocks())
def test_the_readme_shows_what_is_printed(block: str, tmp_path: Path) -> None:
    check(block, tmp_path)


def test_there_are_blocks_to_check() -> None:
    assert blocks()


def commands(command: "typer.core.TyperCommand", name: str) -> list[str]:
    below = getattr(command, "commands", {})
    return [found for key, sub in below.items() for found in commands(sub, f"{name} {key}")] or [name]


def test_every_command_occurs_in_the_readme() -> None:
    found = commands(typer.main.get_command(app), "chaperone")
    assert [name for name in found if name not in README] == []
