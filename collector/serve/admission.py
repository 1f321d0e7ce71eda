"""Whether somebody's question is answered: by their rights, and never without a record of it.

The owner of the store's socket is asked nothing and leaves no record: they can read its files.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chaperone.collector.identity.access import Access
from chaperone.collector.identity.caller import CALLER, Caller, Reviews
from chaperone.collector.identity.refusals import DeniedError, ReviewError
from chaperone.collector.parameters import object_in
from chaperone.collector.serve.query import Ask
from chaperone.collector.serve.rights import NEEDS, OTHERS, Need, Where

FOLLOWING_S = 600.0  # whoever goes on asking the same is recorded once in so long
FOLLOWED = 4096


class Admission:
    """Answers like `ask`, to those who may. `keep` makes an Access durable."""

    def __init__(self, ask: Ask, reviews: Reviews | None, keep: Callable[[Access], Awaitable[str]]) -> None:
        self._ask, self._reviews, self._keep = ask, reviews, keep
        self._recorded: dict[tuple[Caller, str, str], float] = {}

    async def ask(self, name: str, parameters: str) -> list[dict[str, Any]]:
        """Rows. DeniedError for who may not; ReviewError when nobody knows; ValueError of the question itself."""
        caller = CALLER.get()
        if caller.is_owner:
            return await self._ask(name, parameters)
        given = object_in(parameters)
        need = NEEDS.get(name, OTHERS)
        session = await self._session(given) if need.where is Where.OF_SESSION else {}
        namespace = _namespace(need, given, session)
        is_allowed = caller.is_admin or await self._may(caller, need, namespace)
        if session:
            given["session"] = session["id"]
        await self._record(Access(secrets.token_hex(16), time.time_ns(), caller, name, given, session.get("id", ""), is_allowed))
        if not is_allowed:
            raise DeniedError(_sentence(caller, need, namespace))
        return await self._ask(name, json.dumps(given))

    async def _session(self, given: dict[str, Any]) -> dict[str, Any]:
        """The summary of the session that is named: what is asked is then asked of exactly that one."""
        if given.get("session") is None:
            return {}
        return (await self._ask("session.summary", json.dumps({"session": given["session"]})))[0]

    async def _may(self, caller: Caller, need: Need, namespace: str) -> bool:
        return self._reviews is not None and await self._reviews.may(caller, need.right, namespace)

    async def _record(self, access: Access) -> None:
        key, now = (access.caller, access.question, access.session), time.monotonic()
        if access.is_allowed and "after" in access.parameters and now - self._recorded.get(key, -FOLLOWING_S) < FOLLOWING_S:
            return
        if trouble := await self._keep(access):
            raise ReviewError(f"accesses are recorded, and this one could not be: {trouble}")
        self._recorded.pop(key, None)
        self._recorded[key] = now
        if len(self._recorded) > FOLLOWED:
            del self._recorded[next(iter(self._recorded))]


def _namespace(need: Need, given: dict[str, Any], session: dict[str, Any]) -> str:
    if need.where is Where.NAMED and isinstance(given.get("namespace"), str):
        return str(given["namespace"])
    return str((session.get("lookedUp") or {}).get("namespace", "")) if need.where is Where.OF_SESSION else ""


def _sentence(caller: Caller, need: Need, namespace: str) -> str:
    place = f"in namespace {namespace!r}" if namespace else "in all namespaces"
    return f"{caller.name!r} may not {need.right} {need.right.resource}.chaperone.dev {place}"
