"""The other collectors of our database, asked over mutual TLS with our own certificate. One that does not answer is named, never left out.

A connection is made for each question: certificates are renewed in between, and questions are few.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from chaperone.collector.identity.folder import CERTIFICATE, KEY, TRUSTED
from chaperone.proto import query_pb2
from chaperone.proto.query_pb2_grpc import PeersStub

PATIENCE_S = 5.0
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
LACKING = {"alerts.list": "alerts", "alerts.ack": "alerts", "alerts.status": "receivers", "alerts.test": "receivers"}  # else: nodes
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """What others answered, by their addresses; and a sentence about each that did not."""

    rows: Mapping[str, list[Document]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


class SilentError(Exception):
    """A collector that did not answer; one sentence."""


@dataclass(frozen=True, slots=True)
class Peers:
    """`all`: HOST:PORT of every collector, in the same order everywhere; `own`: which of them we are; `tls`: a directory with our
    certificate, for server and client."""

    all: tuple[str, ...] = ()
    own: str = ""
    tls: Path = Path()

    @property
    def others(self) -> tuple[str, ...]:
        """All but ourselves."""
        return tuple(address for address in self.all if address != self.own)

    async def ask(self, question: str, parameters: Document, patience_s: float = PATIENCE_S) -> Heard:
        """All others at once. One of an earlier version that does not know the question is missing, too."""
        return await self.ask_each(question, dict.fromkeys(self.others, parameters), patience_s)

    async def ask_each(self, question: str, parameters: Mapping[str, Document], patience_s: float = PATIENCE_S) -> Heard:
        """These at once, each with its own parameters."""
        answers = await asyncio.gather(*(self._heard(address, question, own, patience_s) for address, own in parameters.items()))
        rows = {address: answer for address, answer in zip(parameters, answers, strict=True) if not isinstance(answer, SilentError)}
        return Heard(rows, tuple(str(answer) for answer in answers if isinstance(answer, SilentError)))

    async def tell(self, address: str, question: str, parameters: Document, patience_s: float = PATIENCE_S) -> list[Document]:
        """One of them. ValueError with its sentence when it refuses; SilentError."""
        asked = query_pb2.Question(name=question, parameters=json.dumps(parameters))
        try:
            async with grpc.aio.secure_channel(address, self._credentials(), OPTIONS) as channel:
                call = PeersStub(channel).Ask(asked, timeout=patience_s)
                return [row async for rows in call for row in json.loads(rows.json)]
        except OSError as error:
            raise SilentError(f"collector {address} was not asked ({error.strerror}): {_missing(question)}") from None
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise ValueError(error.details()) from None
            code = error.code().name.lower().replace("_", " ")
            raise SilentError(f"collector {address} did not answer ({code}): {_missing(question)}") from None

    def is_first(self, heard: Heard) -> bool:
        """Whether none before us answers: we speak for all."""
        return not any(address in heard.rows for address in self.all[: self.all.index(self.own)]) if self.own else True

    async def _heard(self, address: str, question: str, parameters: Document, patience_s: float) -> "list[Document] | SilentError":
        try:
            return await self.tell(address, question, parameters, patience_s)
        except SilentError as error:
            return error
        except ValueError as error:
            return SilentError(f"collector {address} did not answer ({error}): {_missing(question)}")

    def _credentials(self) -> grpc.ChannelCredentials:
        authority, key, certificate = ((self.tls / name).read_bytes() for name in (TRUSTED, KEY, CERTIFICATE))
        return grpc.ssl_channel_credentials(authority, key, certificate)


def _missing(question: str) -> str:
    return f"its {LACKING.get(question, 'nodes')} are missing"
