"""The office of approvals, put together: what it keeps is in the store, what it tells goes to the alerts' receivers. People of this
machine decide at a socket of its own, others by a question, whose caller is known by certificate or token."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from chaperone.collector.enforce.alerter import Alerter, named
from chaperone.collector.enforce.approvals.difference import difference
from chaperone.collector.enforce.approvals.office import Office, Outside
from chaperone.collector.enforce.approvals.values import Person
from chaperone.collector.identity.caller import CALLER
from chaperone.collector.rules import content
from chaperone.collector.serve.decisions import deciding, word_in
from chaperone.collector.serve.peer import Peer
from chaperone.collector.store.directory import DECISIONS, StoreDirectory, socket_path
from chaperone.collector.store.opened import Store

Document = Mapping[str, Any]


@asynccontextmanager
async def approving(
    directory: StoreDirectory, store: Store, alerter: Alerter, mask: Callable[[str], str], activity: AbstractContextManager[Any]
) -> AsyncIterator[Office]:
    """An office that goes on where the last one ended. `mask`: makes a text that may be stored."""

    async def governed(person: Person) -> str:
        return await store.governed(person.name)

    async def describe(call: Document) -> list[str]:
        return difference(await store.object_before(call), _sent(call), str(call.get("verb", "")))

    async def decide(peer: Peer, prefix: str, approves: bool, why: str) -> Document:
        return await office.decide(prefix, Person(f"unix:{peer.user}", how=peer.how), approves, why)

    office = Office(Outside(store.keep_approvals, alerter.tell, describe, governed, mask, named(directory.path)))
    office.recall(await store.approvals())
    serving = asyncio.create_task(office.serve())
    async with deciding(Path(socket_path(directory.path, DECISIONS)), decide, activity):
        yield office
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def decided(office: Office, parameters: str) -> list[dict[str, Any]]:
    """The question `approvals.decide` {approval, approve, why} of whoever calls → the approval. ValueError."""
    caller, given = CALLER.get(), word_in(parameters)
    if caller.is_owner:
        raise ValueError("at this machine the socket for decisions is asked, where the kernel says who it is")
    person = Person(f"user:{caller.name}", caller.groups, str(caller.means))
    return [await office.decide(given["approval"], person, given["approve"], given["why"])]


def _sent(call: Document) -> Any:
    try:
        return content.parsed(call.get("requestBody"))
    except content.UnreadError:
        return None
