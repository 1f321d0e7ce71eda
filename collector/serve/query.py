"""The Query service: named questions over the store's socket. It knows neither the store nor the questions."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import grpc

from chaperone.collector.identity.refusals import DeniedError, ReviewError
from chaperone.proto import query_pb2, query_pb2_grpc

ROWS_PER_MESSAGE = 200
MESSAGE_AIM = 1 << 20  # characters; a client must take larger messages: one row may hold whole bodies

Ask = Callable[[str, str], Awaitable[list[dict[str, Any]]]]
_MISSING: ContextVar[list[str]] = ContextVar("missing")


def lacks(sentences: Iterable[str]) -> None:
    """Say beside the rows of the question that is being answered whose are missing."""
    known = _MISSING.get([])
    known.extend(sentence for sentence in sentences if sentence not in known)


def asking(own: Mapping[str, Callable[[], dict[str, Any]]], others: Ask) -> Ask:
    """Questions that the process answers itself, one row each, before those that somebody else answers."""

    async def ask(name: str, parameters: str) -> list[dict[str, Any]]:
        return [own[name]()] if name in own else await others(name, parameters)

    return ask


class QueryService(query_pb2_grpc.QueryServicer):
    """Answers by `ask(name, parameters)`, whose ValueError is the questioner's fault and whose DeniedError says that they may not ask."""

    def __init__(self, ask: Ask, activity: AbstractContextManager[Any]) -> None:
        self._ask, self._activity = ask, activity

    async def Ask(  # noqa: N802 - named by gRPC
        self, question: query_pb2.Question, context: "grpc.aio.ServicerContext[query_pb2.Question, query_pb2.Rows]"
    ) -> AsyncIterator[query_pb2.Rows]:
        """The rows of one question, some at a time."""
        missing: list[str] = []
        _MISSING.set(missing)
        with self._activity:
            try:
                rows = await self._ask(question.name, question.parameters)
            except (DeniedError, ReviewError, ValueError) as error:
                await context.abort(_status(error), str(error))
            for part in portions(rows):
                yield query_pb2.Rows(json=part)
            if missing:
                yield query_pb2.Rows(json="[]", missing=missing)


def _status(error: Exception) -> grpc.StatusCode:
    if isinstance(error, DeniedError):
        return grpc.StatusCode.PERMISSION_DENIED
    return grpc.StatusCode.UNAVAILABLE if isinstance(error, ReviewError) else grpc.StatusCode.INVALID_ARGUMENT


def portions(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Rows as JSON arrays of bounded size; one row may be larger than the bound."""
    held: list[str] = []
    for row in rows:
        held.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
        if sum(map(len, held)) > MESSAGE_AIM or len(held) >= ROWS_PER_MESSAGE:
            yield f"[{','.join(held)}]"
            held = []
    if held:
        yield f"[{','.join(held)}]"
