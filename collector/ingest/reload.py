"""A collector's policies: files, read again when they change or when it is told to (SIGHUP), and objects of the API, as they come.

What is bad changes nothing: files are taken all or none, each object by itself, and meanwhile the last that was good stays in force. Log
and status say why.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaperone.collector.ingest.policies import DEFAULT, Source, files_of, policies_in, sources_of
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.document import Policy, distinct, policies
from chaperone.collector.rules.objects import PREFIX, Object, author_of, complaint, policy_of, text_of
from chaperone.collector.rules.ruleset import Rules, arranged

LOOK_S = 1.0


class PolicyFiles:
    """`rules`: those in force. `sources`: what they were made of, by name. `refusals`: of objects, why they are not in force as they are.
    PolicyError when the first reading fails."""

    def __init__(self, paths: tuple[Path, ...], default: bool, log: Callable[[str], None]) -> None:
        self._paths = [*([DEFAULT] if default else []), *paths]
        self._log = log
        self._seen = self._print()
        self._files = policies_in(self._paths)
        self._file_sources = sources_of(self._paths, self._files)
        self.rules: Rules = arranged(self._files)
        self._given: Mapping[str, Object] | None = None
        self._done: Mapping[str, Object] | None = None
        self._objects: dict[str, tuple[Policy, Source]] = {}
        self.refusals: dict[str, str] = {}
        self._loaded_at, self._loads, self._refused, self._problem = time.time(), 1, 0, ""
        self._asked = asyncio.Event()

    @property
    def sources(self) -> dict[str, Source]:
        """Files by path, objects by policies.chaperone.dev/NAME."""
        return self._file_sources | {PREFIX + name: source for name, (_, source) in self._objects.items()}

    def ask_anew(self) -> None:
        """Read them again, whether they changed or not."""
        self._asked.set()

    def give(self, objects: Mapping[str, Object]) -> None:
        """All objects that there are, by name. In the event loop."""
        self._given = objects
        self._asked.set()

    def remember(self, texts: Mapping[str, str]) -> None:
        """What was in force of objects when the last collector ended stays so until the API has said what there is. By source."""
        taken = {policy.name for policy in self._files}
        for source, text in sorted(texts.items()):
            name = source.removeprefix(PREFIX)
            if source.startswith(PREFIX) and name not in taken:
                try:
                    self._objects[name] = policies(text, source)[0], Source(text, "unknown", (name,))
                except PolicyError as error:
                    self._log(f"{source} is not in force as it was: {complaint(error)}")
        self.rules = self._arranged()

    def accepted(self, name: str) -> Policy | None:
        """What is in force of an object."""
        found = self._objects.get(name)
        return found[0] if found else None

    async def watch(self, use: Callable[[Rules], None]) -> None:
        """Read what changes, until cancelled; `use` takes new rules."""
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
            "objects": sorted(self._objects),
            "rules": len(self.rules.all),
            "digest": self.rules.digest,
            "loaded": f"{datetime.fromtimestamp(self._loaded_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "loads": self._loads,
            "refused": self._refused,
            "problem": "; ".join(filter(None, [self._problem, *(f"{PREFIX}{name}: {why}" for name, why in self.refusals.items())])),
        }

    def has_read(self, given: Mapping[str, Object]) -> bool:
        """Whether these objects are what `refusals` and `accepted` are about."""
        return self._done is given

    @property
    def problems(self) -> dict[str, str]:
        """What is not in force as it is written, by source, and why."""
        files = {"files": self._problem} if self._problem else {}
        return files | {PREFIX + name: why for name, why in self.refusals.items()}

    def _read(self) -> bool:
        """Whether `use` is to be told."""
        given = self._given
        is_good, is_changed = self._read_files(), self._read_objects(given)
        self._done = given
        if not is_good and not is_changed:
            return False
        self.rules = self._arranged()
        self._loads, self._loaded_at = self._loads + 1, time.time()
        self._log(f"{len(self.rules.all)} rules are in force now ({self.rules.digest})")
        return True

    def _arranged(self) -> Rules:
        return arranged(distinct([self._files, tuple(policy for policy, _ in self._objects.values())]))

    def _read_files(self) -> bool:
        self._seen = self._print()
        try:
            files = policies_in(self._paths)
            self._files, self._file_sources = files, sources_of(self._paths, files)
        except PolicyError as error:
            self._problem, self._refused = str(error), self._refused + 1
            self._log(f"the rules stay as they were ({len(self.rules.all)} rules, {self.rules.digest}): {error}")
            return False
        self._problem = ""
        return True

    def _read_objects(self, given: Mapping[str, Object] | None) -> bool:
        """Whether others are in force now. One that a file's policy has the name of is none: a file is the collector's own."""
        taken = {policy.name: policy.file for policy in self._files}
        if given is None:
            return False
        found: dict[str, tuple[Policy, Source]] = {}
        refusals: dict[str, str] = {}
        for name, one in sorted(given.items()):
            if name in taken:
                refusals[name] = f"metadata.name: expected one policy called {name}, also in {taken[name]}"
                continue
            try:
                found[name] = policy_of(one), Source(text_of(one), author_of(one), (name,))
            except PolicyError as error:
                refusals[name] = complaint(error)
                found |= {name: self._objects[name]} if name in self._objects else {}
        for name, why in refusals.items():
            if why != self.refusals.get(name):
                self._refused += 1
                self._log(f"{PREFIX}{name} is not taken: {why}")
        before, self._objects, self.refusals = self._objects, found, refusals
        return {name: source for name, (_, source) in before.items()} != {name: source for name, (_, source) in found.items()}

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
    except OSError:
        return [path]


def _content(file: Path) -> bytes:
    try:
        return hashlib.blake2b(file.read_bytes()).digest()
    except OSError as error:
        return str(error.errno).encode()
