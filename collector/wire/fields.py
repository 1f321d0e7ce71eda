"""HTTP/2 field lists: pseudo-fields apart from the rest (RFC 9113 §8.3), and what about them is doubtful. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaperone.collector.wire.events import Header

_PSEUDO = frozenset((":method", ":scheme", ":authority", ":path", ":status"))
_CONNECTION = frozenset(("connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"))  # §8.2.2


@dataclass(frozen=True, slots=True)
class Fields:
    """A field list. `pseudo` by name; a value is None where it is not known. `unknown`: fields not wholly known."""

    pseudo: dict[str, str | None]
    headers: tuple[Header, ...]
    unknown: int
    doubts: tuple[str, ...]

    @property
    def length(self) -> int | None:
        """The declared Content-Length."""
        for name, value in self.headers:
            if name == "content-length":
                return int(value) if value and value.isascii() and value.isdigit() and len(value) < 19 else None
        return None


def split(listed: Sequence[Header], is_utf8: bool) -> Fields:
    """A decoded header block as `Fields`."""
    pseudo: dict[str, str | None] = {}
    headers: list[Header] = []
    doubts = [] if is_utf8 else ["a head is not UTF-8"]
    unknown, is_past = 0, False  # is_past: behind the first field that surely is no pseudo-field
    for header in listed:
        name, value = header
        if name in _PSEUDO:
            if name in pseudo or is_past:
                doubts.append("a pseudo-field twice or behind other fields")
            pseudo.setdefault(name, value)
            unknown += value is None
            continue
        headers.append(header)
        is_past = is_past or name is not None
        if name is None or value is None:
            unknown += 1
        elif name in _CONNECTION or name != name.lower() or not name:
            doubts.append("a field that HTTP/2 does not allow")
        elif "\r" in value or "\n" in value or "\0" in value:
            doubts.append("control characters in a head")
    return Fields(pseudo, tuple(headers), unknown, tuple(doubts))


def target_doubts(fields: Fields, late: bool) -> tuple[str, ...]:
    """What is doubtful about where a request goes. `late`: what is absent may be among the unknown."""
    hosts = {value for name, value in fields.headers if name == "host"} | {fields.pseudo.get(":authority")}
    doubts = ["Host and :authority differ"] if len(hosts - {None}) > 1 else []
    if not late and not {":method", ":path"} <= fields.pseudo.keys():
        doubts.append("a request without method or path")
    return tuple(doubts)


def status_of(fields: Fields, late: bool) -> tuple[int | None, tuple[str, ...]]:
    """A response's status, and doubts."""
    status = fields.pseudo.get(":status")
    if status and len(status) == 3 and status.isascii() and status.isdigit():
        return int(status), ()
    return None, () if late else ("a response without status",)
