"""CMD is found as a shell finds it, and the files of its run are found without running it."""

import os
import sys
from pathlib import Path

import pytest

from chaperone.collector.cli.launch.command import Command, files_to_probe, resolve
from chaperone.collector.cli.launch.failed import LaunchError

SH = Path(os.path.realpath("/bin/sh"))
CAT = Path(os.path.realpath("/bin/cat"))


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def probed(path: Path, *arguments: str, search: str = "/usr/bin:/bin") -> tuple[Path, ...]:
    return files_to_probe(Command(path, (str(path), *arguments), search))


def test_a_name_is_looked_up_on_the_path_of_the_environment(tmp_path: Path) -> None:
    tool = script(tmp_path, "tool", "#!/bin/sh\n")
    assert resolve(("tool", "-x"), {"PATH": f"/nowhere:{tmp_path}"}).path == tool


def test_what_is_not_there_is_127() -> None:
    with pytest.raises(LaunchError) as caught:
        resolve(("no-such-tool",), {"PATH": "/usr/bin"})
    assert (caught.value.status, caught.value.sentence) == (127, "no-such-tool: command not found")


@pytest.mark.parametrize("make", [lambda p: p.write_text("x"), lambda p: p.mkdir()])
def test_what_cannot_be_executed_is_126(tmp_path: Path, make: object) -> None:
    make(tmp_path / "thing")  # type: ignore[operator]
    with pytest.raises(LaunchError) as caught:
        resolve((str(tmp_path / "thing"),), {})
    assert caught.value.status == 126


def test_an_executable_later_on_the_path_is_preferred_to_a_plain_file(tmp_path: Path) -> None:
    (tmp_path / "cat").write_text("no program")
    assert resolve(("cat",), {"PATH": f"{tmp_path}:/usr/bin"}).path == Path("/usr/bin/cat")


def test_programs_named_in_an_argument_are_probed() -> None:
    files = probed(Path("/bin/sh"), "-c", "cat /etc/hosts|no-such-tool;true")
    assert SH in files
    assert CAT in files


def test_a_scripts_interpreter_and_the_programs_in_its_text_are_probed(tmp_path: Path) -> None:
    tool = script(tmp_path, "tool", f"#!/usr/bin/env -S {sys.executable} -u\ncat()\n")
    files = probed(tool)
    assert Path(os.path.realpath(sys.executable)) in files
    assert CAT in files
    assert tool not in files


def test_interpreters_that_name_each_other_end(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    script(tmp_path, "first", f"#!{second}\n")
    script(tmp_path, "second", f"#!{first}\n")
    assert not [file for file in probed(first) if tmp_path in file.parents]


def test_a_library_that_an_interpreter_brings_along_is_probed(tmp_path: Path) -> None:
    for folder in ("bin", "lib"):
        (tmp_path / folder).mkdir()
    python = script(tmp_path / "bin", "python", "\x7fELF")
    library = script(tmp_path / "lib", "libssl.so.3", "\x7fELF")
    assert library in probed(python)


@pytest.mark.parametrize("name", ["libssl.so", "libgnutls.so"])
def test_each_tls_library_of_the_system_is_probed_once_by_its_real_path(name: str) -> None:
    files = [file for file in probed(Path("/bin/true")) if file.name.startswith(name)]
    assert files
    assert all(file == Path(os.path.realpath(file)) for file in files)
    assert len(set(files)) == len(files)


def test_a_pipe_named_in_an_argument_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o777)
    probed(Path("/bin/cat"), str(tmp_path / "pipe"), "x" * 10_000)
