"""An open store: directory, database and writer together, used from the event loop through one thread."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from chaperone.collector.rules.verdict import Ends
from chaperone.collector.settings import version
from chaperone.collector.store import queries
from chaperone.collector.store.approvals import approval_row, recent_approvals
from chaperone.collector.store.committer import Committer, Pace, Portion
from chaperone.collector.store.directory import StoreDirectory
from chaperone.collector.store.docket import Docket, docket
from chaperone.collector.store.embedded import Embedded
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.glass import glass_list, word_row
from chaperone.collector.store.governed import governed
from chaperone.collector.store.heirs import heirs
from chaperone.collector.store.kills import kill_row, living
from chaperone.collector.store.marks import Marks, StreamMark
from chaperone.collector.store.objects import object_before
from chaperone.collector.store.policies import known_policies, policy_row
from chaperone.collector.store.recall import Past, past
from chaperone.collector.store.rows import Row
from chaperone.collector.store.schema import migrate, migrate_shared
from chaperone.collector.store.server import Address, Server
from chaperone.collector.store.turns import Standing, Turns
from chaperone.collector.store.writer import Writer

T = TypeVar("T")


class Store:
    """What services ask for: commit, how far an agent is, an answer. Made by `opened`."""

    def __init__(self, engine: Engine, marks: Marks, thread: ThreadPoolExecutor, pace: Pace) -> None:
        self._engine, self._marks, self._thread, self._since = engine, marks, thread, time.monotonic()
        self._committer, self._turns = Committer(Writer(engine, marks), self.run, pace), Turns(engine)

    async def run(self, function: Callable[[], T]) -> T:
        """A function in the store's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def refusal(self) -> str:
        """Why nothing new can be stored now; "" when it can."""
        return self._committer.refusal

    @property
    def lag_s(self) -> float:
        """For how long the oldest of what is not durable has waited for that."""
        return self._committer.lag_s

    async def answers(self) -> bool:
        """That it does, in its turn. StoreError."""
        return await self.run(lambda: self._engine.rows("SELECT 1 AS one") == [{"one": 1}])

    def commit(self, rows: list[Row], agent: str = "", next_batch: int = 0, marks: Sequence[StreamMark] = ()) -> Awaitable[str]:
        """Rows in the order of the calls; what is awaited says "" once they are durable, or why they are not yet: then they
        are kept and tried again."""
        return self._committer.put(Portion(rows, agent, next_batch, marks, self._turns.of(agent)))

    async def next_batch(self, agent: str) -> int:
        """The lowest batch number of an agent that is not durable."""
        return await self.run(lambda: self._turns.last(agent)[1])

    @property
    def is_shared(self) -> bool:
        """Whether other collectors write to the same database."""
        return self._engine.is_shared

    async def greet(self, agent: str, call: int, step: int = 1) -> Standing:
        """An agent calls: how far it is, and that it is ours from now on."""
        return await self.run(lambda: self._turns.begin(agent, call, step))

    async def past(self, boot: str = "") -> Past:
        """What an earlier collector stored of sessions that go on: all, or those of one boot of a node."""
        return await self.run(lambda: past(self._engine, self._marks, boot))

    async def docket(self, horizon_ns: int, boot: str = "") -> Docket:
        """What an earlier collector judged of them."""
        return await self.run(lambda: docket(self._engine, horizon_ns, boot))

    async def approvals(self, boot: str = "") -> list[dict[str, Any]]:
        """Those that may still matter to a request: all, or those of one boot of a node."""
        return await self.run(lambda: recent_approvals(self._engine, boot))

    def turn(self, agent: str) -> int:
        """Which time it is that a collector has this agent, which is ours."""
        return self._turns.of(agent)

    async def keep_approvals(self, documents: Sequence[Mapping[str, Any]]) -> str:
        """Versions of approvals; none: wait for those before. As `commit`."""
        return await self.commit([approval_row(document) for document in documents])

    async def keep_kills(self, documents: Sequence[Mapping[str, Any]]) -> str:
        """That something is, or was, ended. As `commit`."""
        return await self.commit([kill_row(document) for document in documents])

    async def keep_glass(self, documents: Sequence[Mapping[str, Any]]) -> str:
        """That the glass is broken, or whole again. As `commit`."""
        return await self.commit([word_row(document) for document in documents])

    async def broken_glass(self) -> list[dict[str, Any]]:
        """What is in force."""
        return await self.run(lambda: glass_list(self._engine, {"now": True}))

    async def keep_policies(self, documents: Sequence[Mapping[str, Any]]) -> str:
        """Changes of policies. As `commit`."""
        return await self.commit([policy_row(document) for document in documents])

    async def known_policies(self) -> dict[str, str]:
        """What the last collector judged by: texts by source."""
        return await self.run(lambda: known_policies(self._engine))

    async def heirs(self) -> list[dict[str, Any]]:
        """What governed workloads made."""
        return await self.run(lambda: heirs(self._engine))

    async def living(self, target: Ends, prefix: str) -> tuple[str, str]:
        """The whole id of something that goes on, and its session. QuestionError."""
        return await self.run(lambda: living(self._engine, target, prefix))

    async def object_before(self, call: Mapping[str, Any]) -> Any:
        """What the traffic showed last of the object that a call is about."""
        return await self.run(lambda: object_before(self._engine, call))

    async def governed(self, person: str) -> str:
        """Why somebody can't decide on approvals; "" when nothing is known against it."""
        return await self.run(lambda: governed(self._engine, person))

    async def ask(self, name: str, parameters: str) -> list[dict[str, Any]]:
        """Answer a named question (store/queries.py); "status" also says which process answers."""
        rows = await self.run(lambda: queries.ask(self._engine, name, parameters))
        return [rows[0] | self.process()] if name == "status" else rows

    def process(self) -> dict[str, Any]:
        """Which one answers: {version, pid, uptime_s, refusal}."""
        uptime_s = round(time.monotonic() - self._since, 3)
        return {"version": version(), "pid": os.getpid(), "uptime_s": uptime_s, "refusal": self.refusal()}

    async def serve(self) -> None:
        """Write what is committed, until cancelled."""
        await self._committer.serve()

    async def finish(self) -> None:
        """Write what still waits."""
        await self._committer.flush()


@asynccontextmanager
async def opened(directory: StoreDirectory, pace: Pace, server: Address | None = None) -> AsyncIterator[Store]:
    """Open the database of a held directory, or a server's, bring it up to date, write until the end and close it."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "store") as thread:
        engine, marks = await loop.run_in_executor(thread, lambda: _open(directory, server))
        store = Store(engine, marks, thread, pace)
        try:
            async with asyncio.TaskGroup() as tasks:  # when writing crashes, so does all that relies on it
                writing = tasks.create_task(store.serve())
                yield store
                writing.cancel()
            await store.finish()
        finally:
            await loop.run_in_executor(thread, engine.close)


def _open(directory: StoreDirectory, server: Address | None) -> tuple[Engine, Marks]:
    engine = _database(directory, server)
    return engine, Marks(engine, directory.sealing_key())


def _database(directory: StoreDirectory, server: Address | None) -> Engine:
    if server is None:
        embedded = Embedded(directory.database)
        migrate(embedded, directory.version_file)
        return embedded
    shared = Server(server)
    migrate_shared(shared, server.database, directory.sealing_key())
    return shared
