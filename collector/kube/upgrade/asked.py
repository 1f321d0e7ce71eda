"""What an upgraded request asked for, from its URL: the purpose, and what its query says of channels.

Sources: apiserver pkg/registry/core/pod/rest/subresources.go; kubelet pkg/kubelet/server/server.go, whose paths are behind
`nodes/N/proxy` (also with a uid before the container) and pkg/kubelet/server/portforward/websocket.go for `port`.
"""

from dataclasses import dataclass
from enum import StrEnum

from chaperone.collector.kube.call import RequestInfo
from chaperone.collector.kube.path import request_info, split_path
from chaperone.collector.kube.url.query import Values, values
from chaperone.collector.kube.url.target import read_target


class Purpose(StrEnum):
    """Why a request was upgraded."""

    COMMAND = "command"  # exec and attach
    PORTS = "ports"
    LOG = "log"
    WATCH = "watch"
    OTHER = "other"  # a backend's own affair


@dataclass(frozen=True, slots=True)
class Asked:
    """`streams`: those of a command, in the order in which client-go opens them; `ports`: in the order of the query."""

    purpose: Purpose
    streams: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


_POD = {"exec": Purpose.COMMAND, "attach": Purpose.COMMAND, "portforward": Purpose.PORTS, "log": Purpose.LOG}
_KUBELET = {
    "exec": Purpose.COMMAND,
    "attach": Purpose.COMMAND,
    "portForward": Purpose.PORTS,
    "containerLogs": Purpose.LOG,
}


def asked(request_uri: str) -> Asked:
    """What `request_uri` asks for."""
    target = read_target(request_uri)
    info, _ = request_info("GET", target)
    query, _ = values(target.query)
    return Asked(_purpose(info, split_path(target.path)), _streams(query), _ports(query))


def _purpose(info: RequestInfo, parts: list[str]) -> Purpose:
    if (info.resource, info.subresource) == ("nodes", "proxy"):
        path = parts[parts.index("proxy") + 1 :]
        return _KUBELET.get(path[0], Purpose.OTHER) if path else Purpose.OTHER
    if info.resource == "pods" and info.subresource in _POD:
        return _POD[info.subresource]
    return Purpose.WATCH if info.verb == "watch" else Purpose.OTHER


def _streams(query: Values) -> tuple[str, ...]:
    """client-go tools/remotecommand v4.go: error first, then what was asked for, resize for a terminal."""
    terminal = _is_set(query, "tty")
    wanted = [name for name in ("stdin", "stdout", "stderr") if _is_set(query, name) and not (terminal and name == "stderr")]
    return ("error", *wanted, *(("resize",) if terminal else ()))


def _is_set(query: Values, name: str) -> bool:
    return query.get(name, [""])[0].lower() in ("1", "true")


def _ports(query: Values) -> tuple[int, ...]:
    """`ports` at the apiserver, `port` at the kubelet; repeated or with commas."""
    given = [port for key in ("ports", "port") for value in query.get(key, ()) for port in value.split(",")]
    return tuple(int(port) for port in given if port.isascii() and port.isdigit() and len(port) <= 5)
