"""Who can be read: poll(2), since an agent with many probes has descriptors beyond what select(2) takes (FD_SETSIZE)."""

import select
from collections.abc import Iterable


def readable(descriptors: Iterable[int], timeout_s: float, writable: Iterable[int] = ()) -> set[int]:
    """Those of `descriptors` with data or an end, once there is one, `writable` has room, or time is up; none then."""
    waiting = select.poll()
    wanted = dict.fromkeys(descriptors, select.POLLIN)
    for one in writable:
        wanted[one] = wanted.get(one, 0) | select.POLLOUT
    for one, events in wanted.items():
        waiting.register(one, events)
    return {one for one, events in waiting.poll(timeout_s * 1000) if events & ~select.POLLOUT}
