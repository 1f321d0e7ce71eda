"""An exchange understood as a Kubernetes request: `Call`, or `NotKubernetes` with the reason."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chaperone.collector.wire.events import Header
from chaperone.collector.wire.exchange import Gap, Phase


class Form(StrEnum):
    """How a body's bytes are to be read; by its Content-Type, then checked."""

    JSON = "json"
    YAML = "yaml"
    PROTOBUF = "protobuf"
    CBOR = "cbor"
    TEXT = "text"
    BINARY = "binary"  # unknown media type, or bytes that are not what they say


class UserSource(StrEnum):
    """Where a user's name comes from. A JWT claim stays claimed whatever the answer was."""

    CLAIMED = "claimed"
    POD = "pod"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """Method and URL as the apiserver reads them (apiserver pkg/endpoints/request/requestinfo.go). "" where absent."""

    verb: str
    is_resource: bool
    api_group: str = ""
    api_version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""  # this and the next only from a decoded request object, as in the audit log's objectRef
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Who calls, as far as the wire says, and whom it impersonates. `anonymous` has source UNKNOWN: a client certificate
    is not on the wire."""

    name: str
    source: UserSource
    impersonated: str = ""
    impersonated_groups: tuple[str, ...] = ()
    impersonated_uid: str = ""
    impersonated_extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """One message body, content coding off.

    `data` is the decoded body (empty if not kept); `object` its parsed form: JSON, YAML and CBOR as Python values,
    protobuf as kube.protobuf.Message behind its `k8s\\0` envelope, a large list of an answer as kube.forms.many.Many (its
    `data` is empty then, and its doubts are not known yet), else None. `kind` and `api_version` as the body or,
    for patches and list items, the URL says. `size` is of the decoded body, `wire_size` as it was sent.
    `ambiguous`: why two readers could understand it differently.
    """

    form: Form
    media_type: str
    size: int
    wire_size: int
    complete: bool
    data: bytes = b""
    object: Any = None
    kind: str = ""
    api_version: str = ""
    ambiguous: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without contents: a traceback or log line must not leak a body."""
        return f"Body({self.form}, {self.media_type!r}, {self.size} bytes, kind={self.kind!r})"


@dataclass(frozen=True, slots=True)
class Piece:
    """What a streaming call brought since its last report: a watch event, log text, a chunk of a channel.

    `channel`: "event", "log", "stdin", "stdout", "stderr", "error", "resize", "close", or "port/PORT/N" and
    "port/PORT/N/error" for the Nth forwarded connection (PORT is "?" when its headers are lost); "unknown" where a hole
    hides the channel, "data" for upgrades that are none of these. `direction` is "out" or "in". `body` is the content.
    """

    channel: str
    direction: str
    position: int
    time: int
    body: Body


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command in a container ended. `code` is None when it never started or the end was not seen."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Call:
    """A Kubernetes request, and its response as far as it is here. Times are boot-time ns; see Exchange for versions."""

    position: int
    phase: Phase
    at: int
    started: int
    requested: int | None
    answered: int | None
    ended: int | None
    protocol: str
    method: str
    request_uri: str
    authority: str
    info: RequestInfo
    user: User
    user_agent: str
    request_headers: tuple[Header, ...]
    request_body: Body | None
    code: int | None
    response_headers: tuple[Header, ...]
    response_body: Body | None
    audit_id: str
    bytes_out: int
    bytes_in: int
    complete: bool
    gaps: tuple[Gap, ...] = ()
    ambiguous: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()
    subprotocol: str = ""
    exit: Exit | None = None
    kubectl_command: str = ""
    kubectl_session: str = ""

    def __repr__(self) -> str:
        """Without headers, URL or bodies."""
        return f"Call({self.info.verb} {self.info.resource} at {self.position}, {self.phase.name}, {self.code})"


@dataclass(frozen=True, slots=True)
class NotKubernetes:
    """An exchange of something else: host, method, path (no query) and sizes are all that is kept."""

    position: int
    phase: Phase
    at: int
    started: int
    ended: int | None
    protocol: str
    method: str
    authority: str
    path: str
    code: int | None
    bytes_out: int
    bytes_in: int
    complete: bool
    reason: str
    gaps: tuple[Gap, ...] = ()
