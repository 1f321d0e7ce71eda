"""Which collector has an agent: each time that another takes one over is a turn; only what was written in the latest one counts.

An agent that loses its collector goes to another one, while the first may still be writing what it has taken. The second begins where the
store is then; what the first writes later is of an earlier turn, and so is no news to anybody who goes on from the store.
"""

from dataclasses import dataclass

from chaperone.collector.store.engine import Engine

_LATEST = "SELECT turn, max(next_batch) AS next FROM turns WHERE agent = {agent:String} GROUP BY turn ORDER BY turn DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an agent is. `is_taken_over`: what this process knows of it is not what the store has, or it knows nothing."""

    next_batch: int
    is_taken_over: bool = False


class Turns:
    """Of the agents that this process has had. For the store's thread; `of` for any."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._mine = engine, dict[str, int]()

    def of(self, agent: str) -> int:
        """The turn in which it is ours; 0 where nobody counts."""
        return self._mine.get(agent, 0)

    def begin(self, agent: str, call: int, step: int = 1) -> Standing:
        """It calls, for the `call`th time if it counts: this is a later turn than any before, by `step` at least."""
        last, next_batch = self.last(agent)
        if not self._engine.is_shared:
            return Standing(next_batch)
        mine = self._mine.get(agent, -1)
        self._mine[agent] = max(call, last + step, mine + step)
        return Standing(next_batch, is_taken_over=last > mine)

    def last(self, agent: str) -> tuple[int, int]:
        """The latest turn that the store knows, and the lowest batch that is not durable."""
        rows = self._engine.rows(_LATEST, {"agent": agent})
        return (int(rows[0]["turn"]), max(1, int(rows[0]["next"]))) if rows else (0, 1)
