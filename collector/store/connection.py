"""The row of a connection: at its first packet, and when it is over."""

from chaperone.collector.mask.masked import MaskedText
from chaperone.collector.store.document import rfc3339
from chaperone.collector.store.facts import BEGUN, OVER
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.records import Connection


def connection(record: Connection, server_name: MaskedText, offset: int) -> Row:
    """{id, session, process, time, cookie, local, remote, protocol, serverName, tls}; when over also {ended, bytes, applicationBytes,
    captured, coverage}, each but the first {out, in}."""
    document = {
        "id": record.connection,
        "session": record.session,
        "process": record.process,
        "time": rfc3339(record.time + offset),
        "cookie": record.cookie,
        "local": record.local,
        "remote": record.remote,
        "protocol": record.protocol,
        "serverName": server_name,
        "tls": record.tls,
        **(_end(record, offset) if record.ended else {}),
    }
    phase, time = OVER if record.ended else BEGUN, record.time + offset
    return Row(Kind.CONNECTION, record.session, record.connection, phase, record.time, time, document, process=record.process)


def _end(record: Connection, offset: int) -> dict[str, object]:
    return {
        "ended": rfc3339(record.ended + offset),
        "bytes": {"out": record.wire_out, "in": record.wire_in},
        "applicationBytes": {"out": record.app_out, "in": record.app_in},
        "captured": {"out": record.captured_out, "in": record.captured_in},
        "coverage": {"out": record.coverage_out, "in": record.coverage_in},
    }
