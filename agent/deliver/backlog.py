"""What waits for a collector, in numbers: they are seen by who watches over the agent while no collector is there to tell of it."""

import time
from dataclasses import dataclass

from chaperone.agent.deliver.uplink import Cargo


@dataclass(frozen=True, slots=True)
class Backlog:
    """Bytes. `earlier`: what dead agents left on the same disk, of which `limit` may be taken by us. `age_s`: of the oldest batch of ours
    that no collector has acknowledged, and at least of what dead agents left."""

    disk: int = 0
    memory: int = 0
    earlier: int = 0
    limit: int = 0
    age_s: float = 0.0


def backlog(cargo: Cargo) -> Backlog:
    """As it is now. It looks at the files of dead agents: not for each step."""
    disk, memory, age_s = cargo.outbox.waiting()
    left = list(cargo.leftovers.starts.values()) if cargo.leftovers else []
    sizes = {start.agent: start.size() for start in left}
    ages_s = [time.time() - (start.died_ns + start.offset) / 1e9 for start in left if sizes[start.agent]]
    limit = cargo.outbox.spool.limit if cargo.outbox.spool else 0
    return Backlog(disk, memory, sum(sizes.values()), limit, max(age_s, 0.0, *ages_s))
