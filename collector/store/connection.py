"""The row of a connection: at its first packet, when it is certain that nobody reads it, and when it is over."""

from dataclasses import dataclass

from chaperone.collector.mask.masked import MaskedText
from chaperone.collector.store.facts import BEGUN, KNOWN, OVER
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import rfc3339
from chaperone.proto.records import Connection


@dataclass(frozen=True, slots=True)
class Named:
    """Texts of the workload, masked: the name in the TLS hello, and what name servers were asked for to get there, the newest first."""

    server: MaskedText
    names: tuple[MaskedText, ...] = ()


def connection(record: Connection, named: Named, offset: int) -> Row:
    """{id, session, process, time, cookie, local, remote, protocol, serverName, names, tls}; of one that was open before
    {before: payload bytes till then, {out, in}}; of TLS that no probe reads {unread: the
    stack, unreadSince}; when over also {ended, bytes, applicationBytes, captured, coverage}, each but the first {out, in}."""
    document = {
        "id": record.connection,
        "session": record.session,
        "process": record.process,
        "time": rfc3339(record.time + offset),
        "cookie": record.cookie,
        "local": record.local,
        "remote": record.remote,
        "protocol": record.protocol,
        "serverName": named.server,
        "names": list(named.names),
        "tls": record.tls,
        **({"before": {"out": record.before_out, "in": record.before_in}} if record.before_out or record.before_in else {}),
        **({"unread": record.unread, "unreadSince": rfc3339(record.known + offset)} if record.known else {}),
        **(_end(record, offset) if record.ended else {}),
    }
    phase, position = _version(record)
    time = record.time + offset
    return Row(Kind.CONNECTION, record.session, record.connection, phase, position, time, document, process=record.process)


def _version(record: Connection) -> tuple[int, int]:
    if record.ended:
        return OVER, record.time
    return (KNOWN, record.known) if record.known else (BEGUN, record.time)


def _end(record: Connection, offset: int) -> dict[str, object]:
    return {
        "ended": rfc3339(record.ended + offset),
        "bytes": {"out": record.wire_out, "in": record.wire_in},
        "applicationBytes": {"out": record.app_out, "in": record.app_in},
        "captured": {"out": record.captured_out, "in": record.captured_in},
        "coverage": {"out": record.coverage_out, "in": record.coverage_in},
    }
