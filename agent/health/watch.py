"""A recording's Watch: self-probes, and who is told of them."""

import logging
from collections.abc import Callable

from chaperone.agent.deliver.backlog import Backlog
from chaperone.agent.health.front import Front
from chaperone.agent.health.probing import SelfProbe
from chaperone.agent.health.report import report_of


class Watch:
    """`backlog`: what waits for a collector; `log` hears, with a level, when we become ready, and when and why we are no more."""

    def __init__(self, probe: SelfProbe, front: Front, backlog: Callable[[], Backlog], log: Callable[[int, str], None]) -> None:
        self.probe, self.front, self.backlog, self.log = probe, front, backlog, log
        self._was_ready = self._was_asked = False

    def step(self) -> None:
        """Look, and tell."""
        self.probe.step()
        health = self.probe.health
        is_asked = health.failures > 0 or health.is_ready
        if is_asked and (not self._was_asked or health.is_ready is not self._was_ready):
            told = (logging.INFO, "ready: a self-probe was recorded") if health.is_ready else (logging.WARNING, f"not ready: {health.why}")
            self.log(*told)
            self._was_ready, self._was_asked = health.is_ready, True
        self.tell()

    def tell(self) -> None:
        """How it was at the last look."""
        health = self.probe.health
        self.front.step((health.is_ready, health.is_alive), lambda: report_of(health, self.backlog()))

    def close(self) -> None:
        """Say no more."""
        self.probe.close()
        self.front.close()
