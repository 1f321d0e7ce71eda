"""Where requests wait for people: asked in the pipeline's thread, decided, stored and told in the event loop.

Nothing passes before it is durable that it was used, and nobody is answered before their word is. A change is stored before people
are told of it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chaperone.collector.enforce.alert import Alert
from chaperone.collector.enforce.approvals.asking import asking_of
from chaperone.collector.enforce.approvals.book import Answer as Word
from chaperone.collector.enforce.approvals.book import Book, Go, Refuse, Wait
from chaperone.collector.enforce.approvals.document import approval_from, document
from chaperone.collector.enforce.approvals.news import likeness_of, news
from chaperone.collector.enforce.approvals.values import Approval, Asking, Person, Vote
from chaperone.collector.enforce.approvals.votes import VoteError
from chaperone.collector.enforce.orders import Answer, Stand, Wanted
from chaperone.collector.fault import place_of
from chaperone.collector.rules.judged import Judged
from chaperone.collector.times import SECOND

LOG = logging.getLogger("chaperone.collector.approvals")
RETRY_S = 1.0
LONGEST_S = 60.0
TURN = 1 << 20  # versions of an approval at one collector: those at a later one come after all of an earlier
NOBODY = "it needs an approval, and nobody can be asked for this one"
Documents = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Outside:
    """What an office needs of others. `keep`: durable when it returns "", else why not yet. `tell`: an alert and what it is like.
    `describe`: lines of what the request of a call's document would change. `governed`: why a person is no approver now; "".
    `is_shared`: other collectors write to the same store."""

    keep: Callable[[Documents], Awaitable[str]]
    tell: Callable[[Alert, str], Awaitable[None]]
    describe: Callable[[Mapping[str, Any]], Awaitable[list[str]]]
    governed: Callable[[Person], Awaitable[str]]
    mask: Callable[[str], str]
    store: str = ""
    is_shared: bool = False


@dataclass(slots=True)
class Office:
    """An enforce.orders.Approvals. `on_change`: called in the event loop when something was decided or has become durable. `serve` must
    be running."""

    outside: Outside
    clock: Callable[[], int] = time.time_ns
    on_change: Callable[[], None] = lambda: None
    _book: Book = field(default_factory=Book)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: dict[str, set[str]] = field(default_factory=dict)  # by approval: calls whose clients wait for it
    _durable: dict[str, int] = field(default_factory=dict)  # the highest version that is stored
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _stored: asyncio.Condition = field(default_factory=asyncio.Condition)
    _loop: asyncio.AbstractEventLoop | None = None

    def recall(self, documents: Iterable[Mapping[str, Any]], turn: int = 0) -> None:
        """What an earlier collector stored, oldest first; it counts before what we knew. `turn`: of the agent that came from it, 0 for none
        (store/turns.py); our versions then come after whatever that one still writes. Any thread."""
        found = [approval_from(one) for one in documents]
        found = [replace(one, version=max(turn, one.version // TURN + 1) * TURN if turn else one.version) for one in found]
        with self._lock:
            self._book.recall(found)
            self._durable.update((one.id, one.version) for one in found)

    def starting(self, prefix: str) -> list[Approval]:
        """Those whose ids begin so."""
        with self._lock:
            return self._book.starting(prefix)

    def asked(self, wanted: Wanted) -> Stand:
        """How a held request stands, asked again at each look. APPROVED once its use is durable; PENDING until then."""
        asking = self._asking(wanted.judged)
        if asking is None:
            return Stand("", Answer.DENIED, NOBODY)
        with self._lock:
            word = self._book.ask(asking, self.clock())
            self._note(word, asking.call)
        self._wake()
        if isinstance(word, Refuse):
            return Stand(word.approval, Answer.DENIED, word.message)
        is_settled = isinstance(word, Go) and self._is_durable(word)
        return Stand(word.approval, Answer.APPROVED if is_settled else Answer.PENDING)

    def told(self, wanted: Wanted) -> str:
        """The client of a request that waits is told to come again; in these words."""
        with self._lock:
            id_ = self._id_of(wanted.judged)
            text = self._book.told(id_, self.clock()) if id_ else NOBODY
            self._waits_no_more(id_, wanted.judged)
        self._wake()
        return text

    def left(self, wanted: Wanted) -> None:
        """The client of a request that waits is gone, and another of the same request does not wait."""
        with self._lock:
            id_ = self._id_of(wanted.judged)
            if id_ and not self._waits_no_more(id_, wanted.judged):
                self._book.left(id_, self.clock())
        self._wake()

    async def decide(self, prefix: str, person: Person, approves: bool, why: str) -> dict[str, Any]:
        """Somebody's word about the approval whose id begins so; the approval, once that is stored. ValueError when it does not count."""
        if problem := await self.outside.governed(person):
            raise VoteError(problem)
        with self._lock:
            found = self._book.vote(self._one(prefix).id, Vote(person, approves, self.clock(), self.outside.mask(why)))
        self._wake()
        async with self._stored:
            await self._stored.wait_for(lambda: self._durable.get(found.id, 0) >= found.version)
        return document(found)

    async def serve(self) -> None:
        """Store what changes, tell it, and end what waits too long, until cancelled. A fault of ours is told by its place."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._wanted.clear()
            with self._lock:
                self._book.lapse(self.clock())
                changed = self._book.take()
            try:
                await self._settle(changed)
            except Exception as error:  # noqa: BLE001 - others wait for their approvals
                LOG.error("approvals: a fault in chaperone: %s", place_of(error))
            await self._pause()

    async def _settle(self, changed: list[Approval]) -> None:
        if not changed:
            return
        changed = [await self._described(one) for one in changed]
        trouble = await self.outside.keep([document(one) for one in changed])
        while trouble:
            await asyncio.sleep(RETRY_S)
            trouble = await self.outside.keep([])
        async with self._stored:
            self._durable.update((one.id, one.version) for one in changed)
            self._stored.notify_all()
        self.on_change()
        for one in changed:
            if alert := news(one, self.outside.store):
                await self.outside.tell(alert, likeness_of(one))

    async def _described(self, approval: Approval) -> Approval:
        """With what it would change, looked up once."""
        if not approval.asking.sent:
            return approval
        diff = await self.outside.describe(approval.asking.sent)
        alert = replace(approval.asking.alert, approval=dict(approval.asking.alert.approval) | {"diff": diff})
        asking = replace(approval.asking, alert=alert, sent={})
        with self._lock:
            self._book.describe(approval.id, asking)
        return replace(approval, asking=asking)

    async def _pause(self) -> None:
        with self._lock:
            due = self._book.next_lapse()
        wait_s = LONGEST_S if due is None else min(max(0.0, (due - self.clock()) / SECOND), LONGEST_S)
        try:
            async with asyncio.timeout(max(wait_s, 0.01)):  # wait_for can lose a cancellation before Python 3.12
                await self._wanted.wait()
        except TimeoutError:
            return

    def _wake(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wanted.set)

    def _note(self, word: Word, call: str) -> None:
        if isinstance(word, Wait):
            self._waiting.setdefault(word.approval, set()).add(call)
        else:
            self._waiting.pop(word.approval, None)

    def _waits_no_more(self, id_: str, judged: Judged) -> bool:
        """Whether another does."""
        waiting = self._waiting.get(id_, set())
        waiting.discard(str(judged.event.document["id"]))
        if not waiting:
            self._waiting.pop(id_, None)
        return bool(waiting)

    def _is_durable(self, answer: Go) -> bool:
        found = self._book.get(answer.approval)
        return found is not None and self._durable.get(found.id, 0) >= found.version

    def _id_of(self, judged: Judged) -> str:
        asking = self._asking(judged)
        return self._book.id_of(asking) if asking else ""

    def _asking(self, judged: Judged) -> Asking | None:
        return asking_of(judged, self.outside.store, self.outside.is_shared)

    def _one(self, prefix: str) -> Approval:
        found = self._book.starting(prefix)
        if len(found) != 1:
            raise VoteError(f"{'no' if not found else 'more than one'} approval's id begins with {prefix[:40]!r}")
        return found[0]
