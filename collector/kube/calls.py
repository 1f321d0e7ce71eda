"""Exchanges of one stream → calls. The state is one `Ongoing` per open exchange; other programs' exchanges keep none.

Reports: REQUEST once the request is complete (a decision may wait for it), RESPONSE at the head of the answer, STREAM
with new pieces, END. What isn't Kubernetes is reported with its sizes at REQUEST, RESPONSE and END.
"""

from typing import Any, Self

from chaperone.collector.kube import recognise
from chaperone.collector.kube.body import Budget
from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.kube.identity import Headers, known
from chaperone.collector.kube.marks import restore_ongoing, saved_ongoing
from chaperone.collector.kube.ongoing import Ongoing
from chaperone.collector.kube.url.target import read_target
from chaperone.collector.wire.exchange import Exchange, Phase

AUTHORITY_LIMIT = 16  # of one stream; proxies may see several
MARK_LIMIT = 1024 * 1024  # bytes of open bodies in a mark


class Calls:
    """The calls of one stream."""

    def __init__(self, apiservers: frozenset[str] = frozenset()) -> None:
        self.apiservers = frozenset(name.lower() for name in apiservers)
        self._authorities: set[str] = set()
        self._open: dict[int, Ongoing | None] = {}  # None: not Kubernetes, as far as is known
        self._budget = Budget()

    def take(self, exchange: Exchange) -> Call | NotKubernetes | None:
        """What `exchange` now is; None when nothing is to be reported."""
        ongoing = self._open.get(exchange.position) or self._recognise(exchange)
        if exchange.phase is Phase.END:
            self._open.pop(exchange.position, None)
        if ongoing is not None:
            return ongoing.take(exchange)
        return None if exchange.phase in (Phase.OPEN, Phase.STREAM) else _other(exchange)

    def begun(self, exchange: Exchange) -> Call | NotKubernetes:
        """What an exchange is whose request is not whole."""
        ongoing = self._open.get(exchange.position) or self._recognise(exchange)
        return ongoing.begun(exchange) if ongoing else _other(exchange)

    def mark(self) -> dict[str, Any] | None:
        """State to go on from, of msgpack types only; None where a coding or a channel is in flight."""
        saved = {position: saved_ongoing(ongoing) for position, ongoing in self._open.items() if ongoing}
        states = [state for state in saved.values() if state is not None]
        if len(states) < len(saved) or sum(state["size"] for state in states) > MARK_LIMIT:
            return None
        others = [position for position, ongoing in self._open.items() if ongoing is None]
        return {"authorities": sorted(self._authorities), "open": saved, "others": others}

    @classmethod
    def restore(cls, mark: dict[str, Any], apiservers: frozenset[str] = frozenset()) -> Self:
        """Calls that go on from `mark`."""
        calls = cls(apiservers)
        calls._authorities = set(mark["authorities"])
        calls._open = {position: restore_ongoing(saved, calls._budget) for position, saved in mark["open"].items()}
        calls._open.update(dict.fromkeys(mark["others"]))
        return calls

    def _recognise(self, exchange: Exchange) -> Ongoing | None:
        """A new exchange's state, if it is Kubernetes; asked again at each report until it is."""
        is_new = exchange.position not in self._open
        found = self._is_kubernetes(exchange)
        ongoing = Ongoing(self._budget) if found else None
        if ongoing is not None:
            ongoing.is_late = not is_new
            self._remember(exchange)
        self._open[exchange.position] = ongoing
        return ongoing

    def _is_kubernetes(self, exchange: Exchange) -> bool:
        request, response = exchange.request, exchange.response
        authority = request.authority if request else None
        if recognise.is_apiserver(authority, self.apiservers):
            return True
        if self._authorities and (authority is None or authority in self._authorities):
            return True
        if response is not None and recognise.is_apiserver_answer(known(response.headers)[0]):
            return True
        if request is None:
            return False
        path = read_target(request.target).path if request.target else ""
        headers: Headers = known(request.headers)[0]
        return recognise.is_api_path(path) or recognise.is_kubernetes_client(headers, path)

    def _remember(self, exchange: Exchange) -> None:
        authority = exchange.request.authority if exchange.request else None
        if authority is not None and len(self._authorities) < AUTHORITY_LIMIT:
            self._authorities.add(authority)


def _other(exchange: Exchange) -> NotKubernetes:
    request = exchange.request
    target = read_target(request.target) if request and request.target else None
    return NotKubernetes(
        exchange.position,
        exchange.phase,
        exchange.at,
        exchange.started,
        exchange.ended,
        str(request.protocol) if request else "",
        (request.method if request else None) or "",
        (request.authority if request else None) or "",
        target.uri.partition("?")[0] if target else "",
        exchange.response.status if exchange.response else None,
        exchange.bytes_out,
        exchange.bytes_in,
        exchange.complete,
        recognise.NO_SIGN,
        exchange.gaps,
    )
