"""A request head, read once: RequestInfo, user, what the headers say. Made from a Request, used in every report."""

from dataclasses import dataclass

from chaperone.collector.kube import identity
from chaperone.collector.kube.call import RequestInfo, User
from chaperone.collector.kube.identity import Headers
from chaperone.collector.kube.path import request_info
from chaperone.collector.kube.url.target import Target, read_target
from chaperone.collector.wire.events import Header, Request

_SINGLE = ("authorization", "content-type", "content-encoding", "impersonate-user", "impersonate-uid", "user-agent")
UNKNOWN_TARGET = "the target is not known"
UNKNOWN_METHOD = "the method is not known"
CODED_REQUEST = "a request with a content coding, which the apiserver does not take off"


@dataclass(frozen=True, slots=True)
class Head:
    """What a request head says. The same for every report of its exchange."""

    protocol: str
    method: str
    target: Target
    authority: str
    headers: Headers
    sent: tuple[Header, ...]
    info: RequestInfo
    user: User
    user_agent: str
    doubts: tuple[str, ...]

    def first(self, name: str) -> str:
        """The first value of a header, "" without."""
        return self.headers[name][0] if name in self.headers else ""


def read_head(request: Request | None) -> Head:
    """The head of `request`; of a request that was not seen, what little is known."""
    if request is None:
        return _NOTHING
    headers, hidden, nameless = identity.known(request.headers)
    target = read_target(request.target) if request.target is not None else Target("", "", "", (UNKNOWN_TARGET,))
    method = request.method or ""
    info, doubts = request_info(method, target)
    return Head(
        str(request.protocol),
        method,
        target,
        request.authority or "",
        headers,
        request.headers,
        info,
        identity.user_of(headers, hidden, nameless),
        identity.user_agent(headers),
        doubts + (UNKNOWN_METHOD,) * (request.method is None) + _header_doubts(headers),
    )


def _header_doubts(headers: Headers) -> tuple[str, ...]:
    repeated = tuple(f"the header {name} is repeated" for name in _SINGLE if len(headers.get(name, ())) > 1)
    coded = headers.get("content-encoding", ["identity"])[0].lower() not in ("", "identity")
    return repeated + (CODED_REQUEST,) * coded


_NOTHING = Head("", "", Target("", "", "", (UNKNOWN_TARGET,)), "", {}, (), RequestInfo("", False), identity.UNKNOWN, "", (UNKNOWN_TARGET,))
