"""What CMD is, and which files its run may take TLS from: found before CMD runs, without running anything of it."""

import errno
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chaperone.collector.cli.launch.failed import NOT_EXECUTABLE, NOT_FOUND, LaunchError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TEXT_LIMIT = 256 * 1024  # bytes of a script that are searched for names of programs
FILE_LIMIT = 64  # files probed before CMD starts; those it execs later are probed then
WORD = re.compile(r"[\w.+/@-]+", re.ASCII)
LIBRARIES_BESIDE = ("libssl.so*", "libgnutls.so*", "libpython3*.so*", "*/libssl.so*")  # under ../lib of an interpreter: conda, pyenv, uv
SYSTEM_LIBRARIES = ("libssl.so", "libgnutls.so")


@dataclass(frozen=True, slots=True)
class Command:
    """CMD: the file that will be executed, its arguments and the directories it finds programs in."""

    path: Path
    argv: tuple[str, ...]
    search: str = DEFAULT_PATH


def resolve(argv: tuple[str, ...], environment: Mapping[str, str]) -> Command:
    """Find CMD as a shell does. LaunchError with 127 if there is none, 126 if it can't be executed."""
    search = environment.get("PATH", DEFAULT_PATH)
    found = _lookup(argv[0], search)
    if found is None:
        raise LaunchError(f"{argv[0]}: command not found", "check the name, or give its path", NOT_FOUND)
    if found.is_dir() or not os.access(found, os.X_OK):
        raise LaunchError(f"{argv[0]}: {os.strerror(errno.EISDIR if found.is_dir() else errno.EACCES)}", "", NOT_EXECUTABLE)
    return Command(found, argv, search)


def files_to_probe(command: Command) -> tuple[Path, ...]:
    """The ELF files behind CMD: itself, interpreters, programs its text names, and each TLS library, by their real paths."""
    programs = _elf_files(_programs(command))
    libraries = [*_beside(programs), *_system_libraries()]
    return tuple(dict.fromkeys([*programs[:FILE_LIMIT], *_elf_files(libraries)]))


def _programs(command: Command) -> Iterator[Path]:
    """CMD, then whatever its arguments and, if it is a script, its text name; each with its interpreters."""
    yield from _with_interpreters(command.path, command.search)
    texts = [*command.argv[1:], _script_text(command.path)]
    words = dict.fromkeys(word for text in texts for word in WORD.findall(text))
    for word in words:
        path = _lookup(word, command.search)
        if path is not None and path.is_file() and os.access(path, os.X_OK):
            yield from _with_interpreters(path, command.search)


def _with_interpreters(path: Path, search: str, depth: int = 4) -> Iterator[Path]:
    """A program and what its first line says runs it (execve(2): interpreters nest at most four deep)."""
    yield path
    words = _first_line(path)
    if words and words[0].endswith("/env"):
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    interpreter = _lookup(words[0], search) if words else None
    if interpreter is not None and depth:
        yield from _with_interpreters(interpreter, search, depth - 1)


def _first_line(path: Path) -> list[str]:
    line = _head(path, 256).partition(b"\n")[0]
    return os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []


def _script_text(path: Path) -> str:
    head = _head(path, TEXT_LIMIT)
    return head.decode(errors="replace") if head.startswith(b"#!") else ""


def _lookup(name: str, search: str) -> Path | None:
    """The first executable of that name on the path, else the first file; a name with a slash is a path already."""
    if "/" in name:
        return Path(name) if Path(name).exists() else None
    places = [Path(folder or ".") / name for folder in search.split(os.pathsep)]
    files = [place for place in places if _is_file(place)]
    return next((file for file in files if os.access(file, os.X_OK)), files[0] if files else None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than a file name may be, a folder we may not enter
        return False


def _elf_files(paths: Iterable[Path]) -> list[Path]:
    real = dict.fromkeys(Path(os.path.realpath(path)) for path in paths)
    return [path for path in real if _is_file(path) and _head(path, 4) == b"\x7fELF"]


def _head(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; none if it can't be read, since then it can't be probed either."""
    if not _is_file(path):
        return b""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _beside(programs: Iterable[Path]) -> Iterator[Path]:
    """TLS libraries that an interpreter outside /usr brings along in ../lib."""
    for folder in dict.fromkeys(program.parent.parent / "lib" for program in programs):
        if folder not in (Path("/lib"), Path("/usr/lib")):
            for pattern in LIBRARIES_BESIDE:
                yield from sorted(folder.glob(pattern))


def _system_libraries() -> Iterator[Path]:
    """Each TLS library the loader knows of (`ldconfig -p` reads /etc/ld.so.cache and runs nothing)."""
    try:
        listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:  # no glibc: nothing to list
        return
    for line in listed.splitlines():
        name, _, path = line.strip().partition(" => ")
        if name.startswith(SYSTEM_LIBRARIES) and "x86-64" in name:
            yield Path(path)
