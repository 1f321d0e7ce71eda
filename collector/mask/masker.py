"""The gate: Call, NotKubernetes and ProcessSeen in, their masked forms out. What is behind it accepts nothing else."""

import re
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any, TypeVar

from chaperone.collector.kube.body import read_whole
from chaperone.collector.kube.call import Body, Call, Exit, NotKubernetes, RequestInfo, User
from chaperone.collector.kube.flags import has_request_object, has_response_object
from chaperone.collector.mask.argv import argv_spans
from chaperone.collector.mask.binding import binding
from chaperone.collector.mask.body import Bodies, holds_secrets
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.header import Headers
from chaperone.collector.mask.known import Known, Origin
from chaperone.collector.mask.masked import MaskedBody, MaskedCall, MaskedExchange, MaskedPiece, MaskedProcess, MaskedText, MaskedUser
from chaperone.collector.mask.masking import BUILT_IN, Masking
from chaperone.collector.mask.pieces import Pieces
from chaperone.collector.mask.taint import Taint
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.url import mask_url
from chaperone.collector.wire.exchange import Phase
from chaperone.proto.ids import StreamId, call_id
from chaperone.proto.records import ProcessSeen

SHORT = 4096  # characters of a text whose masked form is kept
KEPT = 1024  # short texts, and request bodies of open calls, whose masked form is kept: they come again
FEW = 32  # objects and users whose masked form is kept: those of the calls that are open

_PARTS = re.compile("([/:])")
K = TypeVar("K")
V = TypeVar("V")

_TEXTS = tuple(field.name for field in fields(RequestInfo) if field.type is str)


class Masker:
    """Masks with one key per installation. One for all calls of one stream: it keeps the tails of streaming calls that are open."""

    def __init__(self, key: bytes, masking: Masking = BUILT_IN, number: int = 1) -> None:
        self._key, self._fingerprint = key, Fingerprint(key, number)
        self._texts = Texts(self._fingerprint, masking)
        self._headers = Headers(self._texts, self._fingerprint)
        self._bodies = Bodies(self._texts, self._fingerprint, masking)
        self._pieces = Pieces(self._texts, self._bodies)
        self._known: dict[str, MaskedText] = {}
        self._urls: dict[str, MaskedText] = {}
        self._infos: dict[RequestInfo, RequestInfo] = {}
        self._users: dict[User, MaskedUser] = {}
        self._requests: dict[int, tuple[Body, MaskedBody]] = {}
        self._bindings: dict[int, str] = {}
        self._stream = StreamId("")
        self.taint = Taint(self._texts)
        self._generation = 0

    def share(self, known: Known, stream: StreamId) -> None:
        """Know the secrets of a session, and add to them those of this stream."""
        self._texts.known, self._stream = known, stream

    def call(self, call: Call) -> MaskedCall:
        """A call without its secrets."""
        self._texts.reading = self._origin(call)
        secret = holds_secrets(call.info)
        call, response = self._answer(call, secret)
        return MaskedCall(
            position=call.position,
            phase=call.phase,
            at=call.at,
            started=call.started,
            requested=call.requested,
            answered=call.answered,
            ended=call.ended,
            protocol=self.text(call.protocol),
            method=self.text(call.method),
            request_uri=self._url(call.request_uri),
            authority=self.text(call.authority),
            info=self._remembered(self._infos, call.info, self._info, FEW),
            user=self._remembered(self._users, call.user, self._user, FEW),
            user_agent=self.text(call.user_agent),
            request_headers=self._headers.mask(call.request_headers),
            request_body=self._request(call, secret),
            code=call.code,
            response_headers=self._headers.mask(call.response_headers),
            response_body=response,
            audit_id=self.text(call.audit_id),
            bytes_out=call.bytes_out,
            bytes_in=call.bytes_in,
            complete=call.complete,
            gaps=call.gaps,
            ambiguous=call.ambiguous,
            pieces=self._pieces.mask(call, secret),
            subprotocol=MaskedText(self._headers.protocols(call.subprotocol) if call.subprotocol else ""),
            exit=self._exit(call.exit),
            kubectl_command=self.text(call.kubectl_command),
            kubectl_session=self.text(call.kubectl_session),
            has_request_object=has_request_object(call),
            has_response_object=has_response_object(call),
            binding=self._binding(call),
        )

    def exchange(self, exchange: NotKubernetes) -> MaskedExchange:
        """An exchange of something else without its secrets."""
        return MaskedExchange(
            position=exchange.position,
            phase=exchange.phase,
            at=exchange.at,
            started=exchange.started,
            ended=exchange.ended,
            protocol=self.text(exchange.protocol),
            method=self.text(exchange.method),
            authority=self.text(exchange.authority),
            path=self._url(exchange.path),
            code=exchange.code,
            bytes_out=exchange.bytes_out,
            bytes_in=exchange.bytes_in,
            complete=exchange.complete,
            reason=exchange.reason,
            gaps=exchange.gaps,
        )

    def process(self, process: ProcessSeen) -> MaskedProcess:
        """A process whose command line has no secret."""
        return MaskedProcess(
            process=process.process,
            session=process.session,
            time=process.time,
            pid=process.pid,
            exe=self.text(process.exe),
            argv=self.argv(process.argv),
            cwd=self.text(process.cwd),
            uid=process.uid,
            parent=process.parent,
            argv_cut=process.argv_cut,
        )

    def argv(self, argv: tuple[str, ...]) -> tuple[MaskedText, ...]:
        """A command line without its secrets: also the session's own."""
        encoded = [argument.encode("utf-8", "surrogateescape") for argument in argv]
        masked = map(self._texts.replaced, encoded, argv_spans(self._texts, encoded))
        return tuple(MaskedText(argument.decode("utf-8", "surrogateescape")) for argument in masked)

    def text(self, text: str) -> MaskedText:
        """Any other text without its secrets."""
        return self._remembered(self._known, text, self._text)

    def named(self, path: str) -> MaskedText:
        """A path of names, each by itself: taken together, `db-cred:password` would read as a password."""
        return MaskedText("".join(map(self.text, _PARTS.split(path))))

    def _remembered(self, known: dict[K, V], given: K, mask: Callable[[K], V], most: int = KEPT) -> V:
        """Each report of a call brings the same texts, objects and users again."""
        if self._generation != self._texts.known.generation:
            self._forget()
        if (masked := known.get(given)) is None:
            masked = mask(given)
            if len(known) >= most:
                known.clear()
            if not isinstance(given, str) or len(given) <= SHORT:
                known[given] = masked
        return masked

    def _text(self, text: str) -> MaskedText:
        return MaskedText(self._texts.mask_text(text))

    def held_back(self) -> Iterable[tuple[int, MaskedPiece]]:
        """What channels were sent and no piece has told yet, by the position of its call: as the pieces that it would be now."""
        return self._pieces.held_back()

    def mark(self) -> Any:
        """What is held back of streaming calls, unmasked, of msgpack types only: for a sealed Mark."""
        return self._pieces.mark()

    def go_on(self, mark: Any) -> None:
        """Continue where another was marked."""
        self._pieces.go_on(mark)

    def _forget(self) -> None:
        """What was kept may be out of date: more is known to be secret."""
        self._generation = self._texts.known.generation
        for known in (self._known, self._urls, self._infos, self._users):
            known.clear()
        self._headers.forget()

    def _origin(self, call: Call) -> Origin:
        info = call.info
        return Origin(f"{info.namespace}/{info.name}", call_id(self._stream, call.position), call.started)

    def _url(self, target: str) -> MaskedText:
        return self._remembered(self._urls, target, lambda text: MaskedText(mask_url(self._texts, text)))

    def _request(self, call: Call, secret: bool) -> MaskedBody | None:
        """Each report of a call brings the request's body again."""
        body, known = call.request_body, self._requests.pop(call.position, None)
        if body is None:
            return None
        masked = known[1] if known and known[0] is body else self._bodies.mask(body, secret)
        if call.phase < Phase.END and len(self._requests) < KEPT:
            self._requests[call.position] = body, masked
        return masked

    def _binding(self, call: Call) -> str:
        """Each report of a call brings the same request again."""
        found = self._bindings.pop(call.position, "") or binding(call, self._key)
        if call.phase < Phase.END and found and len(self._bindings) < KEPT:
            self._bindings[call.position] = found
        return found

    def _answer(self, call: Call, secret: bool) -> tuple[Call, MaskedBody | None]:
        """The answer's body, and the call with what reading that brought to light."""
        body = call.response_body
        if body is None or (masked := self._bodies.many(body, secret)):
            return call, masked if body else None
        call = read_whole(call)
        return call, self._bodies.mask(call.response_body or body, secret)

    def _info(self, info: RequestInfo) -> RequestInfo:
        changed: dict[str, Any] = {name: new for name in _TEXTS if (new := self.text(old := getattr(info, name))) != old}
        return replace(info, **changed) if changed else info

    def _exit(self, exit: Exit | None) -> Exit | None:  # noqa: A002 - the contract's word
        return exit and replace(exit, reason=self.text(exit.reason))

    def _user(self, user: User) -> MaskedUser:
        return MaskedUser(
            name=self.text(user.name),
            source=user.source,
            impersonated=self.text(user.impersonated),
            impersonated_groups=tuple(map(self.text, user.impersonated_groups)),
            impersonated_uid=self.text(user.impersonated_uid),
            impersonated_extra=tuple((self.text(name), self.text(value)) for name, value in user.impersonated_extra),
        )
