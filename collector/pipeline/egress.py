"""Which connections lead to somebody else than the apiserver.

At its first packet a connection shows an address only. If the apiservers are known by address that is enough; where one of them is known
by name, a connection to the same port may be that: its name, or what was said on it, tells when it is over. Where none is known,
every TCP connection may be one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

Document = Mapping[str, Any]
LIMIT = 10_000  # streams remembered of one session


@dataclass(slots=True)
class _Known:
    """Of one session. `ports`: of apiservers known by name."""

    apiservers: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    streams: dict[tuple[str, str], str] = field(default_factory=dict)  # both ends → the stream
    speaking: set[str] = field(default_factory=set)  # streams that carried calls


class Egress:
    """Told what happens on streams, asked about connections."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Known] = {}

    def begun(self, session: Document) -> None:
        """A session."""
        servers = frozenset(session.get("apiservers", ()))
        named = frozenset(server.rpartition(":")[2] for server in servers if not _is_address(server))
        self._sessions[session["id"]] = _Known(servers, named)

    def over(self, session: str) -> None:
        """Its end."""
        self._sessions.pop(session, None)

    def bound(self, session: str, stream: Document) -> None:
        """A stream's connection is known."""
        known = self._of(session)
        if len(known.streams) < LIMIT:
            known.streams[stream["local"], stream["remote"]] = stream["id"]

    def spoke(self, session: str, stream: str) -> None:
        """A stream carries calls."""
        known = self._of(session)
        if len(known.speaking) < LIMIT:
            known.speaking.add(stream)

    def is_external(self, session: str, connection: Document) -> bool | None:
        """Whether it leads to somebody else; None: that will be known later."""
        known, port = self._of(session), connection["remote"].rpartition(":")[2]
        name = f"{connection.get('serverName', '')}:{port}"
        if {connection["remote"], name} & known.apiservers:
            return False
        if "ended" in connection or connection["protocol"] != "tcp":
            stream = known.streams.get((connection["local"], connection["remote"]), "")
            return stream not in known.speaking
        return None if not known.apiservers or port in known.ports else True

    def _of(self, session: str) -> _Known:
        return self._sessions.setdefault(session, _Known())


def _is_address(server: str) -> bool:
    try:
        ip_address(server.rpartition(":")[0].strip("[]"))
    except ValueError:
        return False
    return True


def authority(connection: Document) -> str:
    """host:port, by the name that the client gave the server or else asked a name server for, if there is one."""
    host, _, port = connection["remote"].rpartition(":")
    named = connection.get("serverName") or next(iter(connection.get("names") or ()), "")
    return f"{named or host}:{port}"
