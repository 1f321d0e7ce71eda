"""A pipeline whose rows go through a judge: what ingest gives batches to, and has orders from."""

from collections.abc import Callable, Collection
from dataclasses import replace

import msgpack

from chaperone.collector.enforce.orders import Orders
from chaperone.collector.pipeline.holds import Holds, Told
from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.pipeline.records import Pipeline
from chaperone.collector.store.docket import Docket
from chaperone.collector.store.marks import StreamMark
from chaperone.collector.store.recall import BROUGHT, Past
from chaperone.proto.records import Record, SessionEnded, SessionStarted


class JudgedPipeline:
    """`judge` is the sink of `pipeline`, `holds` are its. `observe`: told of each record and whose it is."""

    def __init__(
        self, pipeline: Pipeline, judge: Judge, holds: Holds | None = None, observe: Callable[[Record, str], None] = lambda *_: None
    ) -> None:
        self._observe = observe
        self._pipeline, self._judge, self._holds = pipeline, judge, holds or Holds(Orders())
        self._brought: list[StreamMark] = []  # policies' texts as they came: a restarted collector must judge by the same

    def take(self, record: Record, wall_offset: int, agent: str = "") -> None:
        """One record of an agent."""
        if isinstance(record, SessionStarted) and record.policies:
            self._judge.bring(record.session, record.policies)
            self._brought.append(StreamMark(f"{BROUGHT}{record.session}", msgpack.packb(record.policies, unicode_errors="surrogatepass")))
        elif isinstance(record, SessionEnded):
            self._brought.append(StreamMark(f"{BROUGHT}{record.session}"))
        self._observe(record, agent)
        self._pipeline.take(record, wall_offset, agent)

    def orders(self) -> list[Told]:
        """The end of a batch: what it brought is judged; what agents are to do about what waited for that."""
        self._judge.settle()
        return self._holds.settle()

    def look_again(self, agent: str) -> list[Told]:
        """What of an agent has waited, asked about once more, by the rules that are in force now."""
        self._judge.settle()
        told = self._holds.look_again(agent)
        self._judge.settle()
        return told

    @property
    def deadline(self) -> int:
        """When to look again at the latest (monotonic ns); 0 for never."""
        return self._holds.deadline

    def marks(self) -> tuple[list[StreamMark], Collection[str]]:
        """The end of a batch, if nobody asked for orders: what it brought is judged, and streams are marked."""
        self._judge.settle()
        marks, unmarked = self._pipeline.marks()
        brought, self._brought = self._brought, []
        return [*marks, *brought], unmarked

    def take_over(self, agent: str, past: Past, docket: Docket) -> None:
        """Another collector had this agent: go on where that one was."""
        self._judge.forget(self._pipeline.forget(agent))
        news = {one.session["id"] for one in past.sessions if not self._pipeline.has(one.session["id"])}
        past = replace(past, sessions=[one for one in past.sessions if one.session["id"] in news])
        self.recall(past, docket.of(news), agent)

    def recall(self, past: Past, docket: Docket, agent: str = "") -> None:
        """Go on where an earlier collector ended."""
        for name, texts in past.brought.items():
            self._judge.bring(name.removeprefix(BROUGHT), msgpack.unpackb(texts, unicode_errors="surrogatepass"))
        self._pipeline.recall(past, agent)
        self._judge.recall(past, docket)
