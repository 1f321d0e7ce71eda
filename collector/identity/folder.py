"""Certificates in a directory: a folder for each name."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

CERTIFICATE, KEY, TRUSTED = "tls.crt", "tls.key", "ca.crt"  # as in a Secret of type kubernetes.io/tls
Files = Mapping[str, bytes]


class ShelfError(Exception):
    """What could not be read or kept; the message is one sentence."""


class Shelf(Protocol):
    """Keeps files under names."""

    async def read(self, name: str) -> Files:
        """Empty if there is nothing of that name. ShelfError."""
        ...

    async def write(self, name: str, files: Files) -> None:
        """All files of a name. ShelfError."""
        ...


class Folder:
    """A Shelf. Folders are 0700, files 0600 and replaced whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, name: str) -> Files:
        """The folder's files."""
        try:
            return {path.name: path.read_bytes() for path in (self._path / name).iterdir() if not path.name.startswith(".")}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ShelfError(f"{error.filename} cannot be read: {error.strerror}") from None

    async def write(self, name: str, files: Files) -> None:
        """Each file whole or not at all."""
        folder = self._path / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file, data in files.items():
                _replace(folder / file, data)
        except OSError as error:
            raise ShelfError(f"{error.filename} cannot be written: {error.strerror}") from None


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.rename(path)
