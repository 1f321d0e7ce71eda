"""Held streams without an agent: holds as records into a judged pipeline, and the orders that come of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from support.conversations import Conversation
from support.judging import KEY, OFFSET
from support.policies import HEAD

from chaperone.collector.enforce.orders import Approvals, Orders
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.pipeline.holds import Holds
from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.pipeline.judged import JudgedPipeline
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import Rules, arranged
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.records import Chunk, Direction, Hold, Record

OUT, IN = Direction.OUT, Direction.IN
AGENT = "agent-1"
DENY_DELETE = '- {name: no-delete, when: call.verb == "delete", do: deny, enforce: enforce, message: never}'


@dataclass
class Holding:
    """One conversation whose stream is held. What was told is in `told`, in order."""

    policy: str = DENY_DELETE
    approvals: Approvals | None = None
    rows: list[Row] = field(default_factory=list)
    told: list[pb.Downward] = field(default_factory=list)
    one: Conversation = field(default_factory=Conversation)

    def __post_init__(self) -> None:
        orders = Orders(self.approvals)
        self.judge = Judge(_rules(self.policy), self.rows, Masker(KEY).text, [orders])
        self.holds = Holds(orders, self.judge)
        self.pipeline = JudgedPipeline(Pipeline(lambda: Masker(KEY), self.judge, holds=self.holds), self.judge, self.holds)
        self.positions = [0, 0]
        self.batch(*self.one.begun())

    def use(self, policy: str) -> None:
        """Other rules from now on."""
        self.judge.use(_rules(policy))

    def batch(self, *records: Record) -> list[pb.Downward]:
        """What agents are told after one batch."""
        for record in records:
            self.pipeline.take(record, OFFSET, AGENT)
        return self._told(self.pipeline.orders())

    def look_again(self) -> list[pb.Downward]:
        return self._told(self.pipeline.look_again(AGENT))

    def write(self, data: bytes, hold: str = "h") -> list[pb.Downward]:
        """A held write."""
        return self.batch(self._hold(OUT, data, hold))

    def read(self, data: bytes, hold: str = "h") -> list[pb.Downward]:
        """A held read, or with hold="" one that isn't."""
        return self.batch(self._hold(IN, data, hold)) if hold else self._moved(IN, data)

    def unheld(self, data: bytes) -> list[pb.Downward]:
        """A write that was not held."""
        return self._moved(OUT, data)

    def of(self, kind: Kind) -> list[Row]:
        return [row for row in self.rows if row.kind is kind]

    def _moved(self, direction: Direction, data: bytes) -> list[pb.Downward]:
        chunk = Chunk(self.one.stream, direction, self.positions[direction], data, self.one.tick())
        self.positions[direction] += len(data)
        return self.batch(chunk)

    def _hold(self, direction: Direction, data: bytes, hold: str) -> Hold:
        position = self.positions[direction]
        self.positions[direction] += len(data)
        return Hold(hold, self.one.stream, direction, position, len(data), self.one.tick(), data)

    def _told(self, told: Sequence[tuple[str, pb.Downward]]) -> list[pb.Downward]:
        assert all(agent == AGENT for agent, _ in told)
        self.told += [message for _, message in told]
        return [message for _, message in told]


def _rules(policy: str) -> Rules:
    text = policy if policy.startswith("apiVersion") else f"{HEAD}rules:\n{policy}"
    return arranged(policies(text, "policy.yaml"))


def names(told: Sequence[pb.Downward]) -> list[str]:
    """Each message in a word: an order's name, or OUT or IN of what is held from."""
    return [
        str(each.order.WhichOneof("action")) if each.WhichOneof("message") == "order" else pb.Direction.Name(each.hold_from.direction)
        for each in told
    ]
