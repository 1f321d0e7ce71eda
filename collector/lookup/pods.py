"""Pods as the API has them, kept for a moment, asked for several at a time, never waited for longer than WAIT_S.

An API that does not answer is left alone for PAUSE_S: until then what it would have told is unknown at once. An answer that comes too
late for one batch is there for the next.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import Client, UnansweredError

FRESH_S = 10.0  # a pod of the same name may be another by then
WAIT_S = 1.0
PAUSE_S = 5.0
MOST = 32  # of one batch
KEPT = 2_000
AT_ONCE = 4
Named = tuple[str, str]  # namespace, name
Pod = Mapping[str, Any]


class Pods:
    """A cache before a client. `log` is told when the API stops answering, and when it answers again."""

    def __init__(self, client: Client, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._log, self._clock = client, log, clock
        self._pool = ThreadPoolExecutor(AT_ONCE, "look-up")
        self._lock = threading.Lock()
        self._found: dict[Named, tuple[float, Pod | None]] = {}
        self._asked: dict[Named, Future[None]] = {}
        self._paused_until = float("-inf")
        self._problem = ""
        self._answered = self._unanswered = 0

    @property
    def access(self) -> Access:
        """To the API that is asked."""
        return self._client.access

    def is_about(self, authority: str) -> bool:
        """Are calls to this host made to the API that is asked?"""
        return authority.lower() in self._client.access.names

    def of(self, wanted: Collection[Named]) -> dict[Named, Pod]:
        """Those of them that are known, at the latest in WAIT_S."""
        asked = [future for named in list(wanted)[:MOST] if (future := self._ask(named))]
        wait(asked, WAIT_S)
        return {named: pod for named in wanted if (pod := self._fresh(named)) is not None}

    def status(self) -> str:
        """One line for people."""
        counts = f"{self._answered} answered, {self._unanswered} not"
        return f"{self._client.access.url}: {counts}{f'; {self._problem}' if self._problem else ''}"

    def close(self) -> None:
        """No more questions."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, named: Named) -> "Future[None] | None":
        """A question that is under way; None when there is an answer, or there will be none."""
        with self._lock:
            known = self._found.get(named)
            if (known and known[0] + FRESH_S > self._clock()) or self._clock() < self._paused_until:
                return None
            if named not in self._asked:
                self._asked[named] = self._pool.submit(self._answer, named)
            return self._asked[named]

    def _answer(self, named: Named) -> None:
        try:
            pod, problem = self._client.pod(*named), None
        except UnansweredError as error:
            pod, problem = None, error
        with self._lock:
            self._asked.pop(named, None)
            self._note(named, pod)
            self._tell(problem)

    def _note(self, named: Named, pod: Pod | None) -> None:
        """A pod that is not there is asked for again: it may be made at any moment."""
        self._found.pop(named, None)
        if pod is not None:
            self._found[named] = self._clock(), pod
        while len(self._found) > KEPT:
            del self._found[next(iter(self._found))]

    def _tell(self, problem: UnansweredError | None) -> None:
        self._answered, self._unanswered = self._answered + (problem is None), self._unanswered + (problem is not None)
        if problem is not None and problem.is_down:
            self._paused_until = self._clock() + PAUSE_S
        if (text := str(problem or "")) != self._problem:
            self._problem = text
            self._log(f"{text}: facts of pods are unknown until it does" if text else f"{self._client.access.url} answers look-ups again")

    def _fresh(self, named: Named) -> Pod | None:
        with self._lock:
            since, pod = self._found.get(named, (float("-inf"), None))
            return pod if since + FRESH_S > self._clock() else None
