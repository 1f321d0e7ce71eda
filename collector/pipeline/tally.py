"""What a collector has taken and made since it began, as numbers: metrics show them.

`record` is for the thread of the pipeline, `rows` for the event loop; whoever reads sees numbers that were true a moment ago.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chaperone.collector.enforce.counters import Count
from chaperone.collector.ingest.intake import Journal, Takes
from chaperone.collector.ingest.service import Durable
from chaperone.collector.serve.metrics import Family, Sample
from chaperone.collector.serve.metrics import Kind as Metric
from chaperone.collector.store.facts import OVER
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import SECOND
from chaperone.proto.records import Chunk, Hold, Loss, Outcome, Record

HELD = 10_000  # holds whose outcome may still come
FLAWED = 100_000  # sessions that are known not to be whole; the one of which that was said longest ago would be counted again
BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10)


class Tally:
    """Counters by label values. `decisions[n]`: holds decided within BOUNDS_S[n] but not within the one before; the last: later."""

    def __init__(self) -> None:
        self.captured: Counter[str] = Counter()  # bytes by direction
        self.lost: Counter[str] = Counter()  # bytes by cause
        self.outcomes: Counter[tuple[str, str]] = Counter()  # holds by order and result
        self.decisions = [0] * (len(BOUNDS_S) + 1)
        self.decision_s = 0.0
        self.stored: Counter[str] = Counter()  # rows by kind
        self.verdicts: Counter[tuple[str, str, bool]] = Counter()  # by rule, action and whether it was carried out
        self.unread: Counter[str] = Counter()  # connections by TLS stack
        self.incomplete: Counter[str] = Counter()  # sessions by the kind of row that said so first
        self._held: OrderedDict[str, int] = OrderedDict()
        self._flawed: OrderedDict[str, None] = OrderedDict()

    def record(self, record: Record) -> None:
        """Count what an agent said."""
        if isinstance(record, Chunk):
            self.captured[record.direction.name.lower()] += len(record.data)
        elif isinstance(record, Loss):
            self.lost[str(record.cause)] += record.size
        elif isinstance(record, Hold):
            self._held[record.hold] = record.time
            if len(self._held) > HELD:
                self._held.popitem(last=False)
        elif isinstance(record, Outcome):
            self._outcome(record)

    def rows(self, rows: Iterable[Row]) -> None:
        """Count what is going to be stored."""
        for row in rows:
            self.stored[str(row.kind)] += 1
            if row.session and _lacks(row):
                self._flaw(row)
            if row.kind is Kind.VERDICT:
                self.verdicts[row.document["rule"], row.document["action"], not row.document["notCarriedOut"]] += 1
            elif row.kind is Kind.CONNECTION and "ended" in row.document and row.document.get("unread"):
                self.unread[row.document["unread"]] += 1

    def families(self) -> Iterator[Family]:
        """All of it."""
        yield _counter("captured_bytes", "Plaintext taken from agents.", ("direction",), self.captured)
        yield _counter("lost_bytes", "Plaintext that is missing, as stated.", ("cause",), self.lost)
        yield _counter("uncovered_connections", "Connections of programs whose TLS nobody reads.", ("stack",), self.unread)
        yield _counter("incomplete_sessions", "Sessions of which something is missing.", ("kind",), self.incomplete)
        yield _counter("stored_rows", "Rows given to the store.", ("kind",), self.stored)
        yield _counter("verdicts", "What rules said.", ("rule", "action", "carried_out"), self.verdicts)
        yield _counter("holds", "Held writes and reads by what was done.", ("order", "result"), self.outcomes)
        yield self._histogram()

    def _histogram(self) -> Family:
        """Its samples are cumulative."""
        samples = [Sample((bound,), sum(self.decisions[: at + 1])) for at, bound in enumerate([*map(str, BOUNDS_S), "+Inf"])]
        return Family("decision_seconds", "From a hold to its outcome.", Metric.HISTOGRAM, ("le",), tuple(samples), self.decision_s)

    def _flaw(self, row: Row) -> None:
        if row.session not in self._flawed:
            self.incomplete[str(row.kind)] += 1
        self._flawed[row.session] = None
        self._flawed.move_to_end(row.session)
        if len(self._flawed) > FLAWED:
            self._flawed.popitem(last=False)

    def _outcome(self, outcome: Outcome) -> None:
        self.outcomes[outcome.order, outcome.result] += 1
        began = self._held.pop(outcome.hold, None)
        if began is None:
            return
        took_s = (outcome.time - began) / SECOND
        self.decision_s += took_s
        self.decisions[sum(took_s > bound for bound in BOUNDS_S)] += 1


class TalliedPipeline:
    """A pipeline whose records are counted."""

    def __init__(self, pipeline: Takes, tally: Tally) -> None:
        self._pipeline, self._tally = pipeline, tally
        self.marks, self.orders, self.look_again = pipeline.marks, pipeline.orders, pipeline.look_again

    def take(self, record: Record, wall_offset: int, agent: str) -> None:
        """Count it and pass it on."""
        self._tally.record(record)
        self._pipeline.take(record, wall_offset, agent)

    @property
    def deadline(self) -> int:
        """The pipeline's."""
        return self._pipeline.deadline


class TalliedJournal:
    """A journal whose rows are counted."""

    def __init__(self, journal: Journal, tally: Tally) -> None:
        self._journal, self._tally = journal, tally
        self.refusal, self.next_batch = journal.refusal, journal.next_batch

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0, marks: Sequence[Any] = ()) -> Durable:
        """Count them and pass them on."""
        self._tally.rows(rows)
        return self._journal.commit(rows, agent, next_batch, marks)


def alert_family(counts: Iterable[Count]) -> Family:
    """Messages to receivers."""
    samples = [Sample((count.receiver, str(count.event)), count.value) for count in counts]
    return Family("alerts", "Messages to receivers, and alerts dropped.", Metric.COUNTER, ("receiver", "outcome"), tuple(samples))


def troubles_family(troubles: Mapping[str, str]) -> Family:
    """1 for whatever is in trouble: {what: why, "" for not at all}."""
    samples = [Sample((name,), float(bool(why))) for name, why in troubles.items()]
    return Family("trouble", "1 while something does not work; the log says why.", Metric.GAUGE, ("part",), tuple(samples))


def lag_family(lag_s: float) -> Family:
    """How far the store is behind."""
    about = "For how long the oldest row that is not stored yet has waited for that."
    return Family("store_lag_seconds", about, Metric.GAUGE, (), (Sample((), lag_s),))


def _lacks(row: Row) -> bool:
    """Whether it makes its session incomplete (store/summary.py). A call that goes on may still become whole."""
    is_call = row.kind in (Kind.CALL, Kind.EXCHANGE)
    return row.document.get("complete") is False and (row.phase == OVER or not is_call)


def _counter(name: str, about: str, labels: tuple[str, ...], counts: Counter[Any]) -> Family:
    samples = [Sample(tuple(map(_said, key if isinstance(key, tuple) else (key,))), value) for key, value in sorted(counts.items())]
    return Family(name, about, Metric.COUNTER, labels, tuple(samples))


def _said(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
