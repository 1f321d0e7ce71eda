"""The two ways to the images say the same, and what is documented about the agent's image is a command there."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from support.chart import DEPLOY
from support.kernel import skip_without_kernel

ROOT = DEPLOY.parent
ROLES = ("agent", "collector")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


class Stage(NamedTuple):
    """One FROM: what it begins with, and its further instructions in order."""

    base: str
    steps: list[tuple[str, str]]

    def said(self, word: str) -> str:
        """The one instruction of this name."""
        [found] = [rest for name, rest in self.steps if name == word]
        return found


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    for line in DOCKERFILE.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = Stage(base, [])
        elif line and word != "#":
            found[list(found)[-1]].steps.append((word, rest))
    return found


def packed(role: str) -> dict[str, list[str]]:
    """What image.sh tells umoci of a role: values by the option after `--config.`."""
    text = (DEPLOY / "image.sh").read_text()
    [own] = re.findall(rf"^{role}\) set -- (.*) ;;$", text, re.MULTILINE)
    [of_both] = re.findall(r'umoci config --image \S+ "\$@" ((?:.*\\\n)*.*)', text)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    found: dict[str, list[str]] = {}
    for option, value in re.findall(r'--config\.(\w+) "?([^"\s]+)"?', f"{own} {of_both}"):
        found.setdefault(option, []).append(value.replace("$role", role).replace("$version", version))
    return found


def test_what_an_engine_copies_is_there() -> None:
    copied = [rest.split()[:-1] for stage in stages().values() for word, rest in stage.steps if word == "COPY" and "--from" not in rest]
    names = [name for names in copied for name in names]
    assert "collector" in names
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_an_engine_copies_every_package_and_what_is_asked_of_it() -> None:
    """What the wheel is made of, and what the scripts name beside them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = set(project["tool"]["setuptools"]["package-dir"].values())
    script = (DEPLOY / "fill-root.sh").read_text()
    asked = {f"deploy/{name}" for name in re.findall(r"\$here/deploy/([\w.-]+)", script)} | {"deploy/fill-root.sh"}
    copied = {name for word, rest in stages()["build"].steps if word == "COPY" for name in rest.split()[:-1]}
    assert copied == folders | asked | {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}


@pytest.mark.parametrize("role", ROLES)
def test_both_ways_make_one_image(role: str) -> None:
    stage, told = stages()[role], packed(role)
    assert json.loads(stage.said("ENTRYPOINT")) == told["entrypoint"]
    assert [stage.said("USER")] == told["user"] and [stage.said("ENV")] == told["env"]
    assert stage.said("LABEL").split() == told["label"]
    steps = [rest for word, rest in stage.steps if word in ("COPY", "RUN")]
    assert steps[0] == f"deploy/{role}.packages /tmp/packages" and "xargs apt-get install" in steps[1]
    assert steps[2] == f"--from=filled-{role} /filled/usr/local /usr/local" and len(steps) == 3
    assert stages()[f"filled-{role}"].steps == [("RUN", f"deploy/fill-root.sh {role} /usr/bin/python3 /filled")]


def test_both_ways_begin_with_one_debian() -> None:
    image = (DEPLOY / "image.sh").read_text()
    assert stages()["debian"].base.startswith("debian:") and "deploy/$role.packages" in image and "deploy/fill-root.sh" in image
    [suite] = re.findall(r"^\t(\w+) \"\$work/root\"$", image, re.MULTILINE)
    assert stages()["debian"].base == f"debian:{suite}-slim"
    assert {stages()[role].base for role in ROLES} == {"debian"}


def command(*argv: str) -> "subprocess.CompletedProcess[str]":
    """`chaperone` of the agent's image, by this Python."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run([DEPLOY / "agent-command.sh", *argv], capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.mark.parametrize(("argv", "option"), [(["agent"], "--spool-limit"), (["doctor"], "--check"), (["break-glass"], "--reason")])
def test_the_agents_image_has_the_commands_that_are_documented_for_it(argv: list[str], option: str) -> None:
    done = command(*argv, "--help")
    assert done.returncode == 0 and option in done.stdout


def test_other_commands_are_said_to_be_elsewhere() -> None:
    done = command("sessions", "list")
    assert done.returncode == 2 and "collector's image" in done.stderr


@pytest.mark.kernel
def test_the_agents_image_says_of_a_node_that_nothing_is_missing() -> None:
    skip_without_kernel()
    told, same, lacks = command("doctor"), command("agent", "--check"), json.loads(command("doctor", "-o", "json").stdout)
    assert told.returncode == 0 and told.stdout == same.stdout
    assert told.stdout == "nothing is missing\n" if not lacks else all(one["is_limit"] and one["what"] in told.stdout for one in lacks)
