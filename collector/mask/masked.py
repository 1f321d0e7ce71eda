"""The masked type: what may be stored, shown and judged. Only this package makes these values."""

from dataclasses import dataclass
from typing import NewType

from chaperone.collector.kube.call import Exit, RequestInfo, UserSource
from chaperone.collector.wire.exchange import Gap, Phase

Masked = NewType("Masked", bytes)
MaskedText = NewType("MaskedText", str)
MaskedHeader = tuple[MaskedText | None, MaskedText | None]


@dataclass(frozen=True, slots=True)
class MaskedBody:
    """A body whose secrets are replaced. A protobuf or CBOR body is its parsed view as JSON (`media_type` stays as sent).

    `size` and `wire_size` are of the original; `masked` counts replaced values.
    """

    form: str
    media_type: str
    kind: str
    size: int
    wire_size: int
    complete: bool
    masked: int
    data: Masked

    def __repr__(self) -> str:
        """Without contents, as Body."""
        return f"MaskedBody({self.form}, {self.size} bytes, {self.masked} masked)"


@dataclass(frozen=True, slots=True)
class MaskedPiece:
    """A kube.call.Piece with its body masked."""

    channel: str
    direction: str
    position: int
    time: int
    body: MaskedBody


@dataclass(frozen=True, slots=True)
class MaskedUser:
    """A kube.call.User with its texts masked."""

    name: MaskedText
    source: UserSource
    impersonated: MaskedText
    impersonated_groups: tuple[MaskedText, ...]
    impersonated_uid: MaskedText
    impersonated_extra: tuple[tuple[MaskedText, MaskedText], ...]


@dataclass(frozen=True, slots=True)
class MaskedCall:
    """A kube.call.Call without a secret. Field for field the same, texts and bodies replaced."""

    position: int
    phase: Phase
    at: int
    started: int
    requested: int | None
    answered: int | None
    ended: int | None
    protocol: str
    method: MaskedText
    request_uri: MaskedText
    authority: MaskedText
    info: RequestInfo
    user: MaskedUser
    user_agent: MaskedText
    request_headers: tuple[MaskedHeader, ...]
    request_body: MaskedBody | None
    code: int | None
    response_headers: tuple[MaskedHeader, ...]
    response_body: MaskedBody | None
    audit_id: MaskedText
    bytes_out: int
    bytes_in: int
    complete: bool
    gaps: tuple[Gap, ...]
    ambiguous: tuple[str, ...]
    pieces: tuple[MaskedPiece, ...]
    subprotocol: str
    exit: Exit | None
    kubectl_command: MaskedText
    kubectl_session: MaskedText
    has_request_object: bool  # a body was sent and could be decoded
    has_response_object: bool  # an object was answered: never for watch, log, 101, 304, /version, /openapi
    binding: str = ""  # what an approval of the request is bound to (mask/binding.py); "" where there can be none

    def __repr__(self) -> str:
        """Without headers, URL or bodies, as Call."""
        return f"MaskedCall({self.info.verb} {self.info.resource} at {self.position}, {self.phase.name}, {self.code})"


@dataclass(frozen=True, slots=True)
class MaskedExchange:
    """A kube.call.NotKubernetes: host, method, path without query, sizes."""

    position: int
    phase: Phase
    at: int
    started: int
    ended: int | None
    protocol: str
    method: MaskedText
    authority: MaskedText
    path: MaskedText
    code: int | None
    bytes_out: int
    bytes_in: int
    complete: bool
    reason: str
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class MaskedProcess:
    """A process whose command line has no secret."""

    process: str
    session: str
    time: int
    pid: int
    exe: MaskedText
    argv: tuple[MaskedText, ...]
    cwd: MaskedText
    uid: int
    parent: str | None
    argv_cut: bool = False
