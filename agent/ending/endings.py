"""Orders to end something that no hold is about: found by its id among what this agent governs, ended, and said.

An id that is not found here is another agent's, and nothing is said about it. Orders come in the uplink's thread, are looked up where
records are made, and each is waited for in a thread of its own.
"""

import queue
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from chaperone.agent.ending.ends import group_ended, process_ended, socket_ended
from chaperone.agent.workload.lineage import Lineage
from chaperone.agent.workload.processes import members, now_ns
from chaperone.agent.workload.sessions import Session
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.records import Outcome

LAST_S = 10.0
AT_ONCE = 64  # orders that are carried out; more wait
Act = Callable[[], str]


class Sockets(Protocol):
    """agent/sockets/connections.py."""

    def place_of(self, id_: str) -> tuple[str, int] | None:
        """The session and the socket's cookie of an open connection, by its id or that of a stream on it."""
        ...


class Endings:
    """`sessions`: those that go on. `say`: puts a record into the outbox."""

    def __init__(
        self, sessions: Callable[[], Iterable[Session]], lineage: Lineage, sockets: Sockets, say: Callable[[Outcome], None]
    ) -> None:
        self.sessions, self.lineage, self.sockets, self.say = sessions, lineage, sockets, say
        self._ordered: queue.Queue[wire.Kill] = queue.Queue()
        self._done: queue.Queue[Outcome] = queue.Queue()
        self._room = threading.Semaphore(AT_ONCE)
        self._under_way: set[threading.Thread] = set()

    def take(self, message: wire.Order) -> None:
        """An order that answers no hold. Any thread."""
        if message.WhichOneof("action") == "kill" and message.kill.order:
            self._ordered.put(message.kill)

    def step(self) -> None:
        """Begin what came, and say what was done. Called by the thread that makes records."""
        self._under_way = {thread for thread in self._under_way if thread.is_alive()}
        while not self._ordered.empty():
            kill = self._ordered.get()
            if (act := self._act(kill)) is not None:
                thread = threading.Thread(target=self._carry_out, args=(kill.order, act), name="ending", daemon=True)
                self._under_way.add(thread)
                thread.start()
        while not self._done.empty():
            self.say(self._done.get())

    def close(self) -> None:
        """Let what is under way come to its end, and be said."""
        for thread in self._under_way:
            thread.join(LAST_S)
        self.step()

    def _carry_out(self, order: str, act: Act) -> None:
        with self._room:
            try:
                result = act()
            except OSError as error:
                result = f"it could not be ended: {error.strerror}"
        self._done.put(Outcome(order, "kill", now_ns(), result))

    def _act(self, kill: wire.Kill) -> Act | None:
        """None: it is not ours."""
        if kill.target == wire.Kill.WORKLOAD:
            groups = self._groups(kill.id)
            return (lambda: _groups_ended(groups)) if groups else None
        if kill.target == wire.Kill.PROCESS:
            found = next((key for key, seen in self.lineage.living.items() if seen.process == kill.id), None)
            return (lambda: process_ended(*found)) if found else None
        place = self.sockets.place_of(kill.id)
        return (lambda: self._socket_ended(*place)) if place else None

    def _socket_ended(self, session: str, cookie: int) -> str:
        return socket_ended([pid for group in self._groups(session) for pid in members(group)], cookie)

    def _groups(self, session: str) -> list[Path]:
        return [one.cgroup for one in self.sessions() if one.id == session]


def _groups_ended(groups: list[Path]) -> str:
    results = {group_ended(group) for group in groups}
    return next((result for result in sorted(results) if result != "ended"), "ended")
