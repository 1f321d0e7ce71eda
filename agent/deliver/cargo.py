"""What the agent has to deliver at its start: an empty outbox with its spool, and what earlier agents left in it."""

from collections.abc import Callable

from chaperone.agent.deliver.leftovers import Leftovers
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.spool import Spool, known_key
from chaperone.agent.deliver.uplink import Cargo
from chaperone.agent.settings import Settings, Storage
from chaperone.agent.workload.processes import now_ns
from chaperone.proto.records import NO_SESSION, Note


def load(settings: Settings, agent: str, boot: str = "") -> tuple[Cargo, str]:
    """The cargo, and why nothing can be kept on disk; "" where it can."""
    storage = settings.storage
    try:
        leftovers = _leftovers(storage)
        spool = _spool(storage, agent, boot)
    except OSError as error:
        cargo = Cargo(Outbox(Limits(memory=settings.memory)))
        return cargo, f"{storage.spool} can't be used: {error.strerror or error}"
    return Cargo(Outbox(Limits(memory=settings.memory), spool), leftovers, not storage.key), ""


def state(cargo: Cargo, log: Callable[[str], None]) -> None:
    """What is wrong with what dead agents left: in our log, and in the store, where it belongs to no session."""
    for text in cargo.leftovers.news() if cargo.leftovers else ():
        log(text)
        cargo.outbox.put(Note(NO_SESSION, now_ns(), "spool", text, complete=False))


def _leftovers(storage: Storage) -> Leftovers:
    leftovers = Leftovers(storage.spool, storage.limit)
    leftovers.find()
    return leftovers


def _spool(storage: Storage, agent: str, boot: str) -> Spool:
    spool = Spool(storage.spool, agent, storage.limit, boot)
    if storage.key:
        spool.seal_to(storage.key)
    elif key := known_key(storage.spool):
        spool.remember(key)
    return spool
