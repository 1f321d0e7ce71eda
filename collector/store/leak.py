"""The row of a secret that left: which, where it was read, where to and in what."""

import hashlib

from chaperone.collector.mask.masked import MaskedText
from chaperone.collector.mask.taint import Left
from chaperone.collector.store.document import Place
from chaperone.collector.store.facts import OVER
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import rfc3339

OPAQUE = "connection"  # the place of what no reader understood


def leak(left: Left, secret: MaskedText, host: MaskedText, call: str, place: Place) -> Row:
    """{id, session, stream, process, time, subject, text, secret, fingerprint, readIn, readAt, host, call, place}.

    `call`: the call or exchange that it left in, "" where no reader understood the connection.
    """
    read_at = rfc3339(left.time + place.offset)
    id_ = hashlib.blake2b("\0".join((call or place.stream, left.place, secret, left.fingerprint)).encode(), digest_size=16).hexdigest()
    where = f"connection {place.stream[:8]}{'' if left.place == OPAQUE else f' ({left.place})'}"
    text = f"secret {secret} (read in call {left.call[:8]} at {read_at}) left to {host or 'an unknown host'} in {where}"
    document = {
        "id": id_,
        "session": place.session,
        "stream": place.stream,
        "process": place.process,
        "time": rfc3339(left.sent + place.offset),
        "subject": f"stream {place.stream[:8]}" if not call else f"call {call[:8]}",
        "text": text,
        "secret": secret,
        "fingerprint": left.fingerprint,
        "readIn": left.call,
        "readAt": read_at,
        "host": host,
        "call": call,
        "place": left.place,
    }
    process = str(place.process.get("id", ""))
    return Row(Kind.LEAK, place.session, id_, OVER, left.at, left.sent + place.offset, document, place.stream, process)
