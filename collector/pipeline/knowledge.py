"""The secrets that sessions have seen, as marks: what masking knows must outlive a collector, and is at rest only sealed."""

from collections.abc import Iterator, Mapping

import msgpack

from chaperone.collector.mask.known import MOST, Known
from chaperone.collector.store.marks import StreamMark
from chaperone.collector.store.recall import KNOWN

FORGOTTEN = "{count} secrets are recognised only in their own place from now on: at most {most} can be known of a session"


def marks(session: str, known: Known) -> Iterator[StreamMark]:
    """Of what changed since the last call."""
    for number, segment in known.saved().items():
        yield StreamMark(f"{KNOWN}{session}/{number}", None if segment is None else msgpack.packb(segment, unicode_errors="surrogatepass"))


def recalled(session: str, stored: Mapping[str, bytes]) -> Known:
    """What an earlier collector knew."""
    known, prefix = Known(), f"{KNOWN}{session}/"
    mine = {name.removeprefix(prefix): state for name, state in stored.items() if name.startswith(prefix)}
    known.go_on({int(number): msgpack.unpackb(state, unicode_errors="surrogatepass") for number, state in mine.items()})
    return known


def left_over(sessions: Mapping[str, object], stored: Mapping[str, bytes]) -> list[StreamMark]:
    """What is stored of sessions that nobody goes on with, to be removed."""
    return [StreamMark(name) for name in stored if name.removeprefix(KNOWN).rpartition("/")[0] not in sessions]


def forgotten(known: Known, told: int) -> str:
    """What to say when more was forgotten than was told; "" for nothing."""
    return FORGOTTEN.format(count=known.forgotten, most=MOST) if known.forgotten > told else ""
