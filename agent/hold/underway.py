"""What of a TLS object's bytes was let go unheld and has yet to leave, at the moment from which on its calls are held.

A call that had begun before goes on unheld to its end. Of one that was not accepted (WANT_WRITE) a part may lie in the socket's queue; it
comes again, and is held then. Whoever calls us has told the kernel already that calls are held: what is read here comes only after.
"""

from typing import NamedTuple

from chaperone.agent.hold.disconnect import Sockets
from chaperone.agent.hold.layout import Call, CallKey
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Stream, StreamKey
from chaperone.proto.records import Direction

UNSENT_LIMIT = 16384  # bpf/gnutls.c: what GnuTLS has encrypted and keeps itself


class UnderWay(NamedTuple):
    """`reach`: the kernel's position up to which calls go on unheld; `queued`: bytes of the socket that are no call's any more."""

    reach: int
    queued: int


def under_way(kernel: Kernel, sockets: Sockets, key: StreamKey) -> UnderWay | None:
    """None where its socket is not known or not there. In this order: what goes on from one to the next meanwhile counts twice, not never.

    Who is in a call has none that was not accepted, which would be this one; but GnuTLS may do an earlier one's work in any."""
    is_kept = _is_kept(kernel, key)
    begun = _begun(kernel, key)
    queued = sockets.queued(key.pid, key.handle)
    is_kept = is_kept or _is_kept(kernel, key)
    stream = kernel.entry("streams", Stream, key)
    if queued is None or stream is None:
        return None
    queued += UNSENT_LIMIT if is_kept else 0
    return UnderWay(int(stream.positions[Direction.OUT]) + begun, queued if is_kept or not begun else 0)


def _is_kept(kernel: Kernel, key: StreamKey) -> bool:
    """Whether GnuTLS has a record of it that is not sent yet."""
    return any(bytes(key) == bytes(one) for one in kernel.entries("unsent", StreamKey))


def _begun(kernel: Kernel, key: StreamKey) -> int:
    """Bytes of the object's writes that have begun and are not held. A map's keys may come twice while it changes."""
    keys = {bytes(one): one for one in kernel.entries("calls", CallKey) if one.pid == key.pid}
    calls = (kernel.entry("calls", Call, one) for one in keys.values())
    return sum(call.size for call in calls if call and call.handle == key.handle and call.direction == Direction.OUT and not call.held)
