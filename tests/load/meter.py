"""What a process uses: CPU seconds by thread's name, memory, and the machine's load meanwhile."""

import os
import re
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAUSE_S = 0.2
_NUMBER = re.compile(r"[_-]?\d+$")


@dataclass(frozen=True, slots=True)
class Reading:
    """At one moment. `threads`: CPU seconds by name; `idle`: the machine's idle seconds, of all processors together."""

    threads: Counter[str]
    idle: float
    resident: int


def reading(pid: int) -> Reading:
    """Of a process that lives."""
    threads: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it has just ended
            name, used = _thread(task)
            threads[name] += used
    return Reading(threads, float(Path("/proc/stat").read_text().split(None, 5)[4]) * TICK_S, _resident(pid))


def _thread(task: Path) -> tuple[str, float]:
    head, _, rest = (task / "stat").read_text().rpartition(")")
    fields = rest.split()
    return _NUMBER.sub("", head.partition("(")[2]), (int(fields[11]) + int(fields[12])) * TICK_S


def _resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) << 10 if found else 0


class Meter:
    """Looks at a process now and then. Threads that end in between are counted as far as they were seen."""

    def __init__(self, pid: int) -> None:
        self.pid, self.first, self.most = pid, reading(pid), 0
        self.used: Counter[str] = Counter()
        self._last = self.first
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def close(self) -> float:
        """The last look; seconds of idle processors since the first."""
        self._over.set()
        self._thread.join()
        self._take()
        return self._last.idle - self.first.idle

    def _look(self) -> None:
        while not self._over.wait(PAUSE_S):
            self._take()

    def _take(self) -> None:
        now = reading(self.pid)
        self.most = max(self.most, now.resident)
        for name, used in now.threads.items():
            self.used[name] += max(0.0, used - self._last.threads[name])
        self._last = now
