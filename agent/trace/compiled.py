"""The compiled programs, kept from one start to the next: compiling takes seconds, and gives the same each time.

They lie in FOLDER, which is root's alone. What can't be kept is compiled at each start; what was kept and is not as it was written
is compiled anew.
"""

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgpack

from chaperone.agent.trace.bytecode import Bytecode
from chaperone.agent.trace.compiler import FLAGS, version

LOG = logging.getLogger("chaperone.agent.trace")
FOLDER = Path("/var/cache/chaperone/bpf")
KEPT = 16  # files of about 250 KB: one for each kernel, version and setting
OTHERS_WRITE = 0o022


def compiled(text: str, defines: dict[str, int], folder: Path = FOLDER) -> Bytecode:
    """`text`: C as flatten() gives it; `defines`: -D flags by name. OSError when it does not compile; clang has said why on stderr."""
    asked: bytes = msgpack.packb((text, defines))
    path = folder / f"{_key(asked)}.bpf"
    found = _read(path)
    if found is None:
        found = _compile(asked)
        _keep(path, found)
    return Bytecode.unpacked(found)


def _key(asked: bytes) -> str:
    """Of all that decides what is made of it."""
    digest = hashlib.sha256(repr((os.uname().release, version(), FLAGS)).encode())
    for header in _files(files("chaperone.bpf") / "shim"):
        digest.update(header.read_bytes())
    digest.update(asked)
    return digest.hexdigest()


def _files(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        yield from _files(entry) if entry.is_dir() else [entry]


def _compile(asked: bytes) -> bytes:
    command = [sys.executable, "-I", "-m", "chaperone.agent.trace.compiler"]
    made = subprocess.run(command, input=asked, stdout=subprocess.PIPE, check=False)
    if made.returncode:
        raise OSError(f"cannot compile the BPF programs: the compiler ended with {made.returncode}; above is what it said")
    return made.stdout


def _read(path: Path) -> bytes | None:
    """None if it is not there, or not ours, or not whole."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not (_ours(os.fstat(descriptor)) and _ours(path.parent.stat())):
            return None
        digest, found = file.read(hashlib.sha256().digest_size), file.read()
    return found if hashlib.sha256(found).digest() == digest else None


def _keep(path: Path, made: bytes) -> None:
    folder, part = path.parent, path.with_suffix(f".{os.getpid()}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _ours(folder.stat()):
            raise PermissionError(f"others may write to {folder}")
        try:
            part.write_bytes(hashlib.sha256(made).digest() + made)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        for old in sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        LOG.info("the compiled BPF programs are not kept, so each start compiles them: %s", error)


def _ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & OTHERS_WRITE
