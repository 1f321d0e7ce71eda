"""A collector's policy files, read again when they change or when it is told to (SIGHUP). All or nothing: while one is bad, the rules in
force stay, and log and status say why."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaperone.collector.ingest.policies import DEFAULT, files_of, read_policies
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.ruleset import Rules, arranged

LOOK_S = 1.0


class PolicyFiles:
    """`rules`: those in force. PolicyError when the first reading fails."""

    def __init__(self, paths: tuple[Path, ...], default: bool, log: Callable[[str], None]) -> None:
        self._paths = [*([DEFAULT] if default else []), *paths]
        self._log = log
        self._seen = self._print()
        self.rules: Rules = arranged(read_policies(self._paths))
        self._loaded_at, self._loads, self._refused, self._problem = time.time(), 1, 0, ""
        self._asked = asyncio.Event()

    def ask_anew(self) -> None:
        """Read them again, whether they changed or not."""
        self._asked.set()

    async def watch(self, use: Callable[[Rules], None]) -> None:
        """Read files that change, until cancelled; `use` takes new rules."""
        while True:
            try:
                await asyncio.wait_for(self._asked.wait(), LOOK_S)
            except TimeoutError:
                if await asyncio.to_thread(self._print) == self._seen:
                    continue
            self._asked.clear()
            if await asyncio.to_thread(self._read):
                use(self.rules)

    def status(self) -> dict[str, Any]:
        """What `chaperone rules status` prints."""
        return {
            "files": [str(path) for path in self._paths],
            "rules": len(self.rules.all),
            "digest": self.rules.digest,
            "loaded": f"{datetime.fromtimestamp(self._loaded_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "loads": self._loads,
            "refused": self._refused,
            "problem": self._problem,
        }

    def _read(self) -> bool:
        self._seen = self._print()
        try:
            self.rules = arranged(read_policies(self._paths))
        except PolicyError as error:
            self._problem, self._refused = str(error), self._refused + 1
            self._log(f"the rules stay as they were ({len(self.rules.all)} rules, {self.rules.digest}): {error}")
            return False
        self._problem, self._loads, self._loaded_at = "", self._loads + 1, time.time()
        self._log(f"{len(self.rules.all)} rules are in force now ({self.rules.digest})")
        return True

    def _print(self) -> str:
        """Changes when what is written in the files does; a file that can't be read has a print too."""
        digest = hashlib.blake2b(digest_size=16)
        for path in self._paths:
            for file in _files(path):
                digest.update(f"{file}\0".encode(errors="replace") + _content(file))
        return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    try:
        return files_of(path)
    except (PolicyError, OSError):
        return [path]


def _content(file: Path) -> bytes:
    try:
        return hashlib.blake2b(file.read_bytes()).digest()
    except OSError as error:
        return str(error.errno).encode()
