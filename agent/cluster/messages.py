"""What the process that talks to the API server (agent/cluster/watcher.py) tells the agent: short, flat, and checked when it comes.

The agent is privileged and takes nothing from there but texts of limited length; what is not such a message is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaperone.agent.pods.facts import Container, PodFacts

MESSAGE_LIMIT = 96 << 10  # bytes; a socket takes 208 KiB at once
TEXT_LIMIT = 4096
LABELS, CONTAINERS, ADDRESSES = 64, 64, 512  # the most that are passed on
GOVERN = "chaperone.dev/govern"


@dataclass(frozen=True, slots=True)
class PodTold:
    """A pod as it is now. `key`: namespace/name; `facts`: None when it is gone."""

    key: str
    facts: PodFacts | None = None


@dataclass(frozen=True, slots=True)
class NamespaceTold:
    """A namespace's labels; None when it is gone."""

    name: str
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ServersTold:
    """Addresses of the API server by who names them; () when that is gone."""

    by: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """All of a kind has been told."""

    kind: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing is heard of a kind now. `status`: HTTP's, 0 where there was none."""

    kind: str
    status: int
    why: str


Message = PodTold | NamespaceTold | ServersTold | Listed | Trouble


def pack(message: Message) -> bytes:
    """As it is sent."""
    match message:
        case PodTold(key, facts):
            return _packed("pod", key, _array(facts) if facts else None)
        case NamespaceTold(name, labels):
            return _packed("namespace", name, _some(labels) if labels is not None else None)
        case ServersTold(by, addresses):
            return _packed("servers", by, list(addresses[:ADDRESSES]))
        case Listed(kind):
            return _packed("listed", kind)
        case Trouble(kind, status, why):
            return _packed("trouble", kind, status, why)


def unpack(data: bytes) -> Message:
    """What was sent. ValueError when it is no such message."""
    try:
        name, *values = json.loads(data)
        message: Message = _UNPACKERS[name](*values)
        return message
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("no message about pods") from None


def _packed(*parts: object) -> bytes:
    return json.dumps(parts, separators=(",", ":")).encode()


def _array(facts: PodFacts) -> list[object]:
    texts = [facts.namespace, facts.name, facts.node, facts.service_account, facts.owner, facts.runtime_class]
    containers = [[one.id[:128], one.name[:253], one.image[:256]] for one in facts.containers.values()][-CONTAINERS:]
    return [list(facts.uids), [text[:253] for text in texts], _some(facts.labels), containers, facts.is_host_network]


def _some(labels: Mapping[str, str]) -> dict[str, str]:
    """Not more than fit; the one that we go by is among them."""
    order = sorted(labels, key=lambda name: (name != GOVERN, name))
    return {name[:320]: labels[name][:63] for name in order[:LABELS]}


def _pod(key: str, raw: Any) -> PodTold:
    if raw is None:
        return PodTold(_text(key))
    uids, texts, labels, containers, is_host_network = raw
    namespace, name, node, account, owner, runtime = map(_text, texts)
    known = {one.id: one for one in (Container(*map(_text, parts)) for parts in containers)}
    about = (node, account, owner, runtime, _labels(labels), known, is_host_network is True)
    facts = PodFacts(tuple(map(_text, uids)), namespace, name, *about)
    return PodTold(_text(key), facts)


def _namespace(name: str, labels: Any) -> NamespaceTold:
    return NamespaceTold(_text(name), None if labels is None else _labels(labels))


def _servers(by: str, addresses: Any) -> ServersTold:
    return ServersTold(_text(by), tuple(map(_text, addresses)))


def _listed(kind: str) -> Listed:
    return Listed(_text(kind))


def _trouble(kind: str, status: Any, why: str) -> Trouble:
    return Trouble(_text(kind), int(status), "".join(filter(str.isprintable, _text(why)))[:200])


def _labels(raw: Any) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in raw.items()}


def _text(value: Any) -> str:
    if type(value) is not str or len(value) > TEXT_LIMIT:
        raise ValueError("no text")
    return value


_UNPACKERS: dict[str, Any] = {"pod": _pod, "namespace": _namespace, "servers": _servers, "listed": _listed, "trouble": _trouble}
