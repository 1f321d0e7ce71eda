"""The office of approvals, put together: what it keeps is in the store, what it tells goes to the alerts' receivers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from chaperone.collector.enforce.alerter import Alerter, named
from chaperone.collector.enforce.approvals.difference import difference
from chaperone.collector.enforce.approvals.office import Office, Outside
from chaperone.collector.enforce.approvals.values import Person
from chaperone.collector.rules import content
from chaperone.collector.store.directory import StoreDirectory
from chaperone.collector.store.opened import Store

Document = Mapping[str, Any]


@asynccontextmanager
async def approving(directory: StoreDirectory, store: Store, alerter: Alerter, mask: Callable[[str], str]) -> AsyncIterator[Office]:
    """An office that goes on where the last one ended; where collectors share the store, with each agent that it gets (successor.py).
    `mask`: makes a text that may be stored."""

    async def governed(person: Person) -> str:
        return await store.governed(person.name)

    async def describe(call: Document) -> list[str]:
        return difference(await store.object_before(call), _sent(call), str(call.get("verb", "")))

    office = Office(Outside(store.keep_approvals, alerter.tell, describe, governed, mask, named(directory.path), store.is_shared))
    if not store.is_shared:
        office.recall(await store.approvals())
    serving = asyncio.create_task(office.serve())
    try:
        yield office
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


def _sent(call: Document) -> Any:
    try:
        return content.parsed(call.get("requestBody"))
    except content.UnreadError:
        return None
