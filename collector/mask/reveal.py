"""The same values with nothing masked: for `decode --reveal` only, which prints and never stores."""

from typing import Any

from chaperone.collector.kube.body import read_whole
from chaperone.collector.kube.call import Body, Call, NotKubernetes, Piece, User
from chaperone.collector.kube.flags import has_request_object, has_response_object
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.known import Known
from chaperone.collector.mask.masked import (
    Masked,
    MaskedBody,
    MaskedCall,
    MaskedExchange,
    MaskedHeader,
    MaskedPiece,
    MaskedProcess,
    MaskedText,
    MaskedUser,
)
from chaperone.collector.mask.taint import Taint
from chaperone.collector.mask.text import Texts
from chaperone.collector.wire.events import Header
from chaperone.proto.ids import StreamId
from chaperone.proto.records import ProcessSeen


class Revealer:
    """Takes Masker's place where a user asked to see their own captures in clear."""

    def __init__(self) -> None:
        self.taint = Taint(Texts(Fingerprint(b"")))  # of which nothing is known

    def share(self, known: Known, stream: StreamId) -> None:
        """Nothing is recognised."""

    def held_back(self) -> tuple[tuple[int, MaskedPiece], ...]:
        """Nothing is."""
        return ()

    def mark(self) -> Any:
        """Nothing is held back."""
        return None

    def go_on(self, mark: Any) -> None:
        """Nothing was held back."""

    def call(self, call: Call) -> MaskedCall:
        """The call as it is."""
        call = read_whole(call)
        return MaskedCall(
            position=call.position,
            phase=call.phase,
            at=call.at,
            started=call.started,
            requested=call.requested,
            answered=call.answered,
            ended=call.ended,
            protocol=call.protocol,
            method=MaskedText(call.method),
            request_uri=MaskedText(call.request_uri),
            authority=MaskedText(call.authority),
            info=call.info,
            user=_user(call.user),
            user_agent=MaskedText(call.user_agent),
            request_headers=_headers(call.request_headers),
            request_body=_body(call.request_body),
            code=call.code,
            response_headers=_headers(call.response_headers),
            response_body=_body(call.response_body),
            audit_id=MaskedText(call.audit_id),
            bytes_out=call.bytes_out,
            bytes_in=call.bytes_in,
            complete=call.complete,
            gaps=call.gaps,
            ambiguous=call.ambiguous,
            pieces=tuple(map(_piece, call.pieces)),
            subprotocol=call.subprotocol,
            exit=call.exit,
            kubectl_command=MaskedText(call.kubectl_command),
            kubectl_session=MaskedText(call.kubectl_session),
            has_request_object=has_request_object(call),
            has_response_object=has_response_object(call),
        )

    def exchange(self, exchange: NotKubernetes) -> MaskedExchange:
        """The exchange as it is."""
        return MaskedExchange(
            position=exchange.position,
            phase=exchange.phase,
            at=exchange.at,
            started=exchange.started,
            ended=exchange.ended,
            protocol=exchange.protocol,
            method=MaskedText(exchange.method),
            authority=MaskedText(exchange.authority),
            path=MaskedText(exchange.path),
            code=exchange.code,
            bytes_out=exchange.bytes_out,
            bytes_in=exchange.bytes_in,
            complete=exchange.complete,
            reason=exchange.reason,
            gaps=exchange.gaps,
        )

    def process(self, process: ProcessSeen) -> MaskedProcess:
        """The process as it is."""
        return MaskedProcess(
            process=process.process,
            session=process.session,
            time=process.time,
            pid=process.pid,
            exe=MaskedText(process.exe),
            argv=self.argv(process.argv),
            cwd=MaskedText(process.cwd),
            uid=process.uid,
            parent=process.parent,
            argv_cut=process.argv_cut,
        )

    def argv(self, argv: tuple[str, ...]) -> tuple[MaskedText, ...]:
        """The command line as it is."""
        return tuple(map(MaskedText, argv))

    def text(self, text: str) -> MaskedText:
        """The text as it is."""
        return MaskedText(text)

    def named(self, path: str) -> MaskedText:
        """The names as they are."""
        return MaskedText(path)


def _headers(headers: tuple[Header, ...]) -> tuple[MaskedHeader, ...]:
    return tuple((_text(name), _text(value)) for name, value in headers)


def _text(text: str | None) -> MaskedText | None:
    return None if text is None else MaskedText(text)


def _body(body: Body | None) -> MaskedBody | None:
    return None if body is None else _shown(body)


def _shown(body: Body) -> MaskedBody:
    return MaskedBody(
        form=str(body.form),
        media_type=body.media_type,
        kind=body.kind,
        size=body.size,
        wire_size=body.wire_size,
        complete=body.complete,
        masked=0,
        data=Masked(bytes(body.data)),
    )


def _piece(piece: Piece) -> MaskedPiece:
    return MaskedPiece(piece.channel, piece.direction, piece.position, piece.time, _shown(piece.body))


def _user(user: User) -> MaskedUser:
    return MaskedUser(
        name=MaskedText(user.name),
        source=user.source,
        impersonated=MaskedText(user.impersonated),
        impersonated_groups=tuple(map(MaskedText, user.impersonated_groups)),
        impersonated_uid=MaskedText(user.impersonated_uid),
        impersonated_extra=tuple((MaskedText(name), MaskedText(value)) for name, value in user.impersonated_extra),
    )
