"""Policy files and directories → policies. All or nothing: one bad file refuses them all."""

import importlib.resources
from pathlib import Path

from chaperone.collector.nodes import SIZE, PolicyError
from chaperone.collector.rules.document import Policy, distinct, policies

DEFAULT = Path("default")  # names the pack that comes with Chaperone


def read_policies(paths: list[Path]) -> tuple[Policy, ...]:
    """The policies of files, and of directories' *.yaml and *.yml. PolicyError at the first mistake or unreadable file."""
    return distinct([policies(text_of(file), str(file)) for path in paths for file in files_of(path)])


def files_of(path: Path) -> list[Path]:
    """A file itself, a directory's policy files by name; of `default`, unless there is such a file, the pack's."""
    if path == DEFAULT and not path.exists():
        path = Path(str(importlib.resources.files("chaperone.collector.rules"))) / "pack"
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())
    if not found:
        raise PolicyError(str(path), 1, "", "expected *.yaml files in this directory, found none")
    return found


def text_of(file: Path) -> str:
    """A file's text, at most a little more than a policy may have. PolicyError when it can't be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(4 * SIZE + 1).decode()
    except OSError as error:
        raise PolicyError(str(file), 1, "", f"expected a file that can be read, found: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(str(file), 1, "", "expected UTF-8") from None
