"""One exchange with the Kubernetes API that is not over: its bodies on their way, its streams cut into pieces."""

from collections.abc import Callable
from typing import Any

from chaperone.collector.kube import identity, recognise
from chaperone.collector.kube.body import Budget, Gatherer, Kind
from chaperone.collector.kube.call import Body, Call, Exit, Piece, User
from chaperone.collector.kube.channels import Channels
from chaperone.collector.kube.flags import Answer, was_decoded, with_object
from chaperone.collector.kube.head import Head, read_head
from chaperone.collector.kube.identity import Headers
from chaperone.collector.kube.kinds import kind_of
from chaperone.collector.kube.status import status_of
from chaperone.collector.kube.watch import EventStream, LogStream
from chaperone.collector.wire.events import Data, End, Event, Lost, Request, Response, Unreadable
from chaperone.collector.wire.exchange import Exchange, Phase
from chaperone.proto.records import Direction

_KUBELET_LOGS = ("containerLogs", "logs")
_NO_KIND = Kind()
Reader = Gatherer | EventStream | LogStream


class Ongoing:
    """The state of one exchange between its reports."""

    def __init__(self, budget: Budget) -> None:
        self.head: Head = read_head(None)
        self.answer: Headers = {}
        self.request: Gatherer | None = None
        self.response: Reader | None = None
        self.request_body: Body | None = None
        self.response_body: Body | None = None
        self.channels: Channels | None = None
        self.pieces: list[Piece] = []
        self.is_late = False
        self.doubts: tuple[str, ...] = ()
        self._budget = budget
        self._request: Request | None = None
        self._response: Response | None = None

    def take(self, exchange: Exchange) -> Call | None:
        """What is new; a report of it, unless there is nothing to say."""
        self._heads(exchange)
        if exchange.upgraded is not None:
            self.channels = self.channels or Channels(exchange.upgraded, self.head.target.uri)
            self.pieces += self.channels.take(exchange.news)
        for event in exchange.news:
            if handler := _HANDLERS.get(type(event)):
                handler(self, event, exchange)
        if exchange.phase is Phase.END:
            self._close(exchange)
        if exchange.phase is Phase.OPEN or (exchange.phase is Phase.STREAM and not self.pieces):
            return None
        return self._report(exchange)

    def begun(self, exchange: Exchange) -> Call:
        """A report while the request is not whole: its body is there and can't be known."""
        self._heads(exchange)
        body = self.request or self._request_gatherer(b"")
        self.request_body = body.begun(self._url_kind())
        try:
            return self._report(exchange)
        finally:
            self.request_body = None

    def _heads(self, exchange: Exchange) -> None:
        if exchange.request is not self._request:
            self._request = exchange.request
            self.head = read_head(exchange.request)
        if exchange.response is not self._response:
            self._response = exchange.response
            self.answer = identity.known(exchange.response.headers)[0] if exchange.response else {}

    def on_data(self, data: Data, exchange: Exchange) -> None:
        """Body bytes of either direction; behind an upgrade they are the channels'."""
        if data.direction is Direction.OUT:
            if exchange.upgraded is None:
                self.request = self.request or self._request_gatherer(data.data)
                self.request.add(data.data)
        elif exchange.upgraded is None:
            self.response = self.response or self._response_reader(exchange, data.data)
            if isinstance(self.response, Gatherer):
                self.response.add(data.data)
            else:
                self.pieces += self.response.add(data)

    def on_end(self, end: End, exchange: Exchange) -> None:
        """A message is over."""
        if end.direction is Direction.OUT:
            self._finish_request(end.complete)
        else:
            self._finish_response(end.complete, end.position, end.time)

    def on_loss(self, lost: Lost | Unreadable, exchange: Exchange) -> None:
        """Bytes of a body are missing, or can't be read. A loss of no bytes is one of header fields (HPACK, joined late)."""
        if exchange.upgraded is not None or (isinstance(lost, Lost) and not lost.size):
            return
        if lost.direction is Direction.OUT:
            if self.request_body is None and (self.request or self.head.first("content-length") not in ("", "0")):
                self.request = self.request or self._request_gatherer(b"")
                self.request.lose()
        elif self.response_body is None and exchange.response is not None:
            self.response = self.response or self._response_reader(exchange, b"")
            self.response.lose()

    def _request_gatherer(self, start: bytes | memoryview) -> Gatherer:
        """The apiserver takes no content coding off requests; without a Content-Type it reads JSON."""
        sent, info = self.head.first("content-type"), self.head.info
        if not sent and _hides(self._request):
            sent, self.doubts = recognise.likely_type(start), (*self.doubts, recognise.UNKNOWN_TYPE)
        elif not sent and info.is_resource and not self._is_proxied() and self.head.method != "PATCH":
            sent = "application/json"
        return Gatherer(sent, None, self._budget, foreign=self._is_proxied())

    def _response_reader(self, exchange: Exchange, start: bytes | memoryview) -> Reader:
        media_type = self.answer.get("content-type", [""])[0]
        encoding = self.answer.get("content-encoding", [""])[0]
        if not encoding and _hides(exchange.response):
            encoding = recognise.likely_coding(start)
        if not media_type and _hides(exchange.response):
            media_type = recognise.likely_type(b"" if encoding else start)
            self.doubts = (*self.doubts, recognise.UNKNOWN_TYPE)
        code = exchange.response.status if exchange.response else None
        if code is None or 200 <= code < 300:
            if self.head.info.is_resource and self.head.info.verb == "watch":
                return EventStream(media_type, encoding, self._budget)
            if self._is_log():
                return LogStream(media_type, encoding)
        return Gatherer(media_type, encoding, self._budget, foreign=self._is_proxied())

    def _is_proxied(self) -> bool:
        return self.head.info.subresource == "proxy" or self.head.info.verb == "proxy"

    def _is_log(self) -> bool:
        if self.head.info.subresource == "log":
            return True
        if not (self._is_proxied() and self.head.info.resource == "nodes"):
            return False
        return self.head.target.path.partition("/proxy/")[2].split("/")[0] in _KUBELET_LOGS

    def _finish_request(self, complete: bool) -> None:
        if self.request is not None and self.request_body is None:
            self.request_body = self.request.finish(complete, self._url_kind())
            self.request = None

    def _finish_response(self, complete: bool, position: int, time: int) -> None:
        if self.response is None or self.response_body is not None:
            return
        if isinstance(self.response, Gatherer):
            self.response_body = self.response.answer(complete)
        else:
            self.pieces += self.response.finish(position, time)
            self.response_body = self.response.body(complete)
        self.response = None

    def _close(self, exchange: Exchange) -> None:
        self._finish_request(False)
        self._finish_response(False, exchange.at, exchange.ended or 0)

    def _url_kind(self) -> Kind:
        """For patches and fragments, which need not say what they are."""
        info = self.head.info
        if not info.is_resource or self._is_proxied() or self.head.method == "DELETE":
            return _NO_KIND
        version = f"{info.api_group}/{info.api_version}" if info.api_group else info.api_version
        return Kind(kind_of(info.resource, info.subresource), version)

    def _report(self, exchange: Exchange) -> Call:
        head, code = self.head, exchange.response.status if exchange.response else None
        info = head.info
        if self.request_body is not None and was_decoded(head.method, info, self.request_body, Answer(code, self.response_body)):
            info = with_object(info, head.method, self.request_body)
        pieces, self.pieces = tuple(self.pieces), []
        return Call(
            exchange.position,
            exchange.phase,
            exchange.at,
            exchange.started,
            exchange.requested,
            exchange.answered,
            exchange.ended,
            head.protocol,
            head.method,
            head.target.uri,
            head.authority,
            info,
            self._user(code),
            head.user_agent,
            head.sent,
            self.request_body,
            code,
            exchange.response.headers if exchange.response else (),
            self.response_body,
            recognise.audit_id(self.answer, exchange.response.headers if exchange.response else ()),
            exchange.bytes_out,
            exchange.bytes_in,
            exchange.complete,
            exchange.gaps,
            self._doubts(exchange, pieces),
            pieces,
            exchange.upgraded.subprotocol if exchange.upgraded else "",
            self._exit(),
            head.first("kubectl-command"),
            head.first("kubectl-session"),
        )

    def _exit(self) -> Exit | None:
        return self.channels.exit if self.channels else None

    def _user(self, code: int | None) -> User:
        """A 401 means that nobody is known, not even as anonymous; a 403 quotes whom the server sees."""
        user = self.head.user
        if code == 401 and user.name == identity.ANONYMOUS:
            return identity.renamed(user, "")
        if code == 403 and user.name in ("", identity.ANONYMOUS) and not user.impersonated:
            quoted = identity.refused_user(status_of(self.response_body).message)
            return identity.renamed(user, quoted) if quoted else user
        return user

    def _doubts(self, exchange: Exchange, pieces: tuple[Piece, ...]) -> tuple[str, ...]:
        doubts = [*exchange.ambiguous, *self.head.doubts, *self.doubts]
        for body in (self.request_body, self.response_body, *(piece.body for piece in pieces)):
            if body is not None and body.ambiguous:
                doubts += body.ambiguous
        if self.is_late:
            doubts.append("recognised as Kubernetes by its answer only")
        return tuple(dict.fromkeys(doubts)) if doubts else ()


def _hides(head: Request | Response | None) -> bool:
    """Does an HPACK table joined late hide any of its fields?"""
    return head is not None and any(None in header for header in head.headers)


_HANDLERS: dict[type[Event], Callable[[Ongoing, Any, Exchange], None]] = {
    Data: Ongoing.on_data,
    End: Ongoing.on_end,
    Lost: Ongoing.on_loss,
    Unreadable: Ongoing.on_loss,
}
