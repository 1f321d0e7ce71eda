"""What the guard lets through is tried live (tests/collector/test_live_doors.py); here: what it makes of odd methods and callers."""

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from chaperone.collector.identity.caller import OWNER
from chaperone.collector.identity.refusals import ReviewError
from chaperone.collector.serve.guard import Guard


class RefusedError(Exception):
    pass


class Context:
    """A call from the network with some metadata."""

    def __init__(self, peer: str, certificate: bytes = b"", **metadata: str) -> None:
        self.said, self.certificate, self.metadata = peer, certificate, metadata

    def peer(self) -> str:
        return self.said

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_pem_cert": [self.certificate]} if self.certificate else {}

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return list(self.metadata.items())

    async def abort(self, status: grpc.StatusCode, reason: str) -> None:
        raise RefusedError(status, reason)


class Away:
    async def who(self, token: str) -> None:
        raise ReviewError("the API server cannot be asked: TimeoutError")

    async def may(self, *asked: Any) -> bool:
        return True


def test_a_method_of_another_shape_is_served_to_nobody() -> None:
    async def continuation(details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

    with pytest.raises(TypeError, match="nobody guards"):
        asyncio.run(Guard(None).intercept_service(continuation, SimpleNamespace(method="/chaperone.v1.Query/Later")))


def test_the_owner_of_the_socket_is_known_by_it() -> None:
    assert asyncio.run(Guard(None)._caller(Context("unix:/x"))) == OWNER


@pytest.mark.parametrize(
    ("context", "status"),
    [
        (Context("ipv4:1.2.3.4:5"), grpc.StatusCode.UNAUTHENTICATED),
        (Context("ipv4:1.2.3.4:5", authorization="Basic x"), grpc.StatusCode.UNAUTHENTICATED),
        (Context("ipv4:1.2.3.4:5", b"-----BEGIN NOTHING"), grpc.StatusCode.UNAUTHENTICATED),
        (Context("ipv4:1.2.3.4:5", authorization="Bearer x"), grpc.StatusCode.UNAVAILABLE),
        (Context("ipv6:[::1]:5"), grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_whoever_shows_nothing_that_can_be_checked_is_refused(context: Context, status: grpc.StatusCode) -> None:
    with pytest.raises(RefusedError) as caught:
        asyncio.run(Guard(Away())._caller(context))
    assert caught.value.args[0] is status
