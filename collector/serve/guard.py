"""Nobody is served unless it is known who they are: by the store's socket, a client certificate, or a token.

Agents may deliver and nothing else, collectors may ask what is between collectors and nothing else; all others may anything but that.
What they may ask, serve/rights.py says.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc

from chaperone.collector.identity.caller import CALLER, OWNER, Caller, Reviews
from chaperone.collector.identity.certificates import caller_of
from chaperone.collector.identity.refusals import ReviewError

CAPTURE = "/chaperone.v1.Capture/"
PEERS = "/chaperone.v1.Peers/"
BEARER = "Bearer "

Behaviour = Callable[[Any, Any], AsyncIterator[Any]]


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # at run time it takes none
    """Puts the caller into CALLER. `reviews`: who knows tokens; None: they are not taken."""

    def __init__(self, reviews: Reviews | None) -> None:
        self._reviews = reviews

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """The handler of a method, behind the question who calls."""
        handler = await continuation(details)
        if handler is None:
            return None
        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._guarded(handler.stream_stream, details.method), *_codecs(handler))
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._guarded(handler.unary_stream, details.method), *_codecs(handler))
        raise TypeError(f"{details.method} has a shape that nobody guards")

    def _guarded(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
            caller = await self._caller(context)
            if reason := _refusal(caller, method):
                await _refuse(context, reason)
            CALLER.set(caller)
            async for answer in behaviour(request, context):
                yield answer

        return guarded

    async def _caller(self, context: Any) -> Caller:
        if context.peer().startswith("unix:"):
            return OWNER
        if chain := context.auth_context().get("x509_pem_cert"):
            return await self._certified(chain[0], context)
        return await self._with_token(context)

    async def _certified(self, certificate: bytes, context: Any) -> Caller:
        try:
            return caller_of(certificate)
        except ValueError as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            raise AssertionError from None  # abort raises

    async def _with_token(self, context: Any) -> Caller:
        given = dict(context.invocation_metadata()).get("authorization", "")
        if self._reviews is None or not given.startswith(BEARER):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "say who you are: by a client certificate or a bearer token")
            raise AssertionError
        try:
            caller = await self._reviews.who(given.removeprefix(BEARER))
        except ReviewError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            raise AssertionError from None
        if caller is None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the API server does not know this token; it may have expired")
            raise AssertionError
        return caller


def _refusal(caller: Caller, method: str) -> str:
    """Why this is none of their business; "" if it is. Also the socket's owner is no collector: nobody's name is taken from them."""
    if caller.is_collector is not method.startswith(PEERS):
        return "collectors ask one another, and nobody else asks that: this certificate or token is for something else"
    if caller.is_agent is not method.startswith(CAPTURE) and not caller.is_owner:
        return "agents deliver, and only agents do: this certificate or token is for something else"
    return ""


def _codecs(handler: Any) -> tuple[Any, Any]:
    return handler.request_deserializer, handler.response_serializer


async def _refuse(context: Any, reason: str) -> NoReturn:
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, reason)
    raise AssertionError  # abort raises
