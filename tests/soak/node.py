"""The real agent and the real collector, which are killed and started again at any time, and what each of them uses."""

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from soak.clients import now
from support import collectors


@dataclass(slots=True)
class Life:
    """One agent: its session, and from when to when it recorded; `died`: that end was none of its own."""

    session: str
    began: float
    ended: float = float("inf")
    died: bool = False


@dataclass
class Node:
    """One cgroup, one agent, one collector. `most`: the highest figure of each kind that was seen."""

    cgroup: Path
    store: Path
    dice: random.Random
    lives: list[Life] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.collector = collectors.start(self.store)
        self.agent = self._agent()

    def _agent(self) -> "subprocess.Popen[str]":
        ready, told = os.pipe()
        options = ["--cgroup", str(self.cgroup), "--socket", str(self.store / "collector.sock"), "--spool", str(self.store / "spool")]
        command = [sys.executable, "-m", "chaperone.agent", *options, "--ready-fd", str(told)]
        process = subprocess.Popen(command, pass_fds=(told,), stdout=subprocess.PIPE, text=True)
        os.close(told)
        with os.fdopen(ready) as line:
            said = json.loads(line.readline())
        self.lives.append(Life(said["session"], now()))
        return process

    def kill(self) -> str:
        """The agent, the collector or both, at once or one a little later, and start them again; who it was."""
        victims = self.dice.choice(["agent", "agent", "collector", "both", "both"])
        if victims != "collector":
            self.lives[-1].ended, self.lives[-1].died = now(), True
            self.agent.kill()
        if victims != "agent":
            collectors.kill(self.collector)
            self.collector = collectors.start(self.store)
        if victims != "collector":
            self.agent.communicate()
            self.agent = self._agent()
        self.deaths.append(victims)
        return victims

    def look(self) -> None:
        """Note memory and descriptors, in MiB and by number."""
        for name, pid in (("agent", self.agent.pid), ("collector", self.collector.pid)):
            status = Path(f"/proc/{pid}/status").read_text()
            anonymous = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))
            self._note(f"{name} MiB", anonymous >> 10)
        self._note("agent descriptors", len(list(Path(f"/proc/{self.agent.pid}/fd").iterdir())))

    def _note(self, what: str, figure: int) -> None:
        self.most[what] = max(self.most.get(what, 0), figure)

    def end(self) -> dict[str, object]:
        """SIGTERM to the agent; what it said at the end. It has delivered all that there was, of the dead ones too."""
        self.lives[-1].ended = now()
        self.agent.send_signal(signal.SIGTERM)
        out, _ = self.agent.communicate(timeout=120)
        report: dict[str, object] = json.loads(out.splitlines()[-1])
        return {**report, "status": self.agent.returncode}

    def close(self) -> None:
        """Whatever still runs."""
        self.agent.kill()
        self.agent.communicate()
        collectors.kill(self.collector)
