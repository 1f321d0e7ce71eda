"""Policy files and directories → policies. All or nothing: one bad file refuses them all."""

import importlib.resources
import pwd
from dataclasses import dataclass
from pathlib import Path

from chaperone.collector.nodes import SIZE, PolicyError
from chaperone.collector.rules.document import Policy, distinct, policies
from chaperone.collector.settings import version

DEFAULT = Path("default")  # names the pack that comes with Chaperone
MOUNTED = "whoever changed the mounted ConfigMap or Secret (the API server's audit log knows)"


def read_policies(paths: list[Path]) -> tuple[Policy, ...]:
    """What somebody names to have it read. PolicyError at the first mistake, unreadable file or directory without policies."""
    for path in paths:
        if not files_of(path):
            raise PolicyError(str(path), 1, "", "expected *.yaml files in this directory, found none")
    return policies_in(paths)


def policies_in(paths: list[Path]) -> tuple[Policy, ...]:
    """The policies of files, and of directories' *.yaml and *.yml, of which there may be none yet. PolicyError at the first mistake."""
    return distinct([policies(text_of(file), str(file)) for path in paths for file in files_of(path)])


def files_of(path: Path) -> list[Path]:
    """A file itself, a directory's policy files by name; of `default`, unless there is such a file, the pack's."""
    if path == DEFAULT and not path.exists():
        path = Path(str(importlib.resources.files("chaperone.collector.rules"))) / "pack"
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())


def text_of(file: Path) -> str:
    """A file's text, at most a little more than a policy may have. PolicyError when it can't be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(4 * SIZE + 1).decode()
    except OSError as error:
        raise PolicyError(str(file), 1, "", f"expected a file that can be read, found: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(str(file), 1, "", "expected UTF-8") from None


@dataclass(frozen=True, slots=True)
class Source:
    """What policies were made of: its text, who wrote it as far as that is known, and the names of its policies."""

    text: str
    author: str
    policies: tuple[str, ...]


def sources_of(paths: list[Path], read: tuple[Policy, ...]) -> dict[str, Source]:
    """What was `read` of these, by name. PolicyError."""
    return {_named(path, file): _source(path, file, read) for path in paths for file in files_of(path)}


def _named(path: Path, file: Path) -> str:
    """The pack's files lie elsewhere in each installation."""
    return f"default/{file.name}" if _is_pack(path) else str(file)


def _source(path: Path, file: Path, read: tuple[Policy, ...]) -> Source:
    author = f"chaperone {version()}" if _is_pack(path) else MOUNTED if _is_mounted(file) else _owner(file)
    return Source(text_of(file), author, tuple(policy.name for policy in read if policy.file == str(file)))


def _is_pack(path: Path) -> bool:
    return path == DEFAULT and not path.exists()


def _is_mounted(file: Path) -> bool:
    """Whether a kubelet wrote it, who links each file into the folder that it exchanges (kubernetes pkg/volume/util/atomic_writer.go). Its
    owner is root, whoever changed the object."""
    return file.is_symlink() and (file.parent / "..data").is_symlink() and file.readlink().parts[:1] == ("..data",)


def _owner(file: Path) -> str:
    try:
        uid = file.stat().st_uid
        return f"unix:{pwd.getpwuid(uid).pw_name} (owner of the file)"
    except KeyError:
        return f"unix:{uid} (owner of the file)"
    except OSError:
        return "unknown"
