"""Agents without a kernel (spooling_agent.py) as processes that are killed."""

import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from support import spooling_agent
from support.conversations import Conversation
from support.h2_conversation import PODS, long_connection

ENDING = 3  # records behind the last round: the end of the watch, of the stream, of the session


@dataclass
class Life:
    """One agent process. `told`: what it has said on stdout so far."""

    store: Path
    name: str
    rounds: int
    options: tuple[str, ...] = ("0.004",)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        support = str(Path(spooling_agent.__file__).parents[1])
        command = [sys.executable, spooling_agent.__file__, str(self.store), self.name, str(self.rounds), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": support})
        self.listening = threading.Thread(target=self._listen)
        self.listening.start()

    def _listen(self) -> None:
        assert self.process.stdout
        self.told += (line.strip() for line in self.process.stdout)

    def until(self, kept: int) -> None:
        """It has put so many records into batches, or it is over."""
        deadline = time.monotonic() + 60
        while self.kept < kept and self.process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> int:
        status = self.process.wait(120)
        self.listening.join()
        return status

    @property
    def kept(self) -> int:
        """How many of its records it has put into batches."""
        return max((int(line) for line in self.told if line.isdigit()), default=0)


def answered(kept: int, name: str) -> set[str]:
    """The URIs of the gets that are whole in the first `kept` records: each round has as many."""
    one, two = (len(long_connection(rounds, Conversation(name))) for rounds in (1, 2))
    before_the_first = one - ENDING - (two - one)
    return {f"{PODS}/pod-{number}" for number in range((kept - before_the_first) // (two - one))}
