"""Where the bytes lie that a held call writes instead of its caller's: memory of ours in its process, used in a ring around what a call may
still be writing.
"""

from collections.abc import Collection

from chaperone.agent.gate import memory
from chaperone.agent.hold import remote
from chaperone.agent.hold.layout import HeldRecord

SIZE = 1 << 20
PROCESSES = 4096
PAGE = 4096
Image = tuple[int, int, int]  # pid, start, how many programs it has been: exec takes the memory with it


class Arena:
    """One mapping a process, made by the first of its threads that needs it; a larger one besides when it is too small."""

    def __init__(self) -> None:
        self._places: dict[Image, tuple[int, int, int]] = {}  # address, size, used

    def put(self, held: HeldRecord, data: bytes, busy: Collection[range] = ()) -> int:
        """The address of `data` in the process of a held, stopped thread. `busy`: addresses whose bytes are in use."""
        image = (held.head.pid, held.head.started, held.head.image)
        address, size, used = self._places.get(image, (0, 0, 0))
        taken = [range(one.start - address, one.stop - address) for one in busy]
        if (at := _gap(len(data), (used, size), taken)) is None:
            size = max(SIZE, 2 * size, (len(data) + PAGE - 1) // PAGE * PAGE)
            address, at = remote.mapped(held.head.pid, held.tid, size), 0
        memory.write(held.head.pid, address + at, data)
        self._places.pop(image, None)
        self._places[image] = address, size, at + _rounded(len(data))
        if len(self._places) > PROCESSES:
            self._places.pop(next(iter(self._places)))
        return address + at


def _gap(wanted: int, place: tuple[int, int], taken: Collection[range]) -> int | None:
    """Where so many bytes have room in a mapping of a size: behind what was put there last, at its begin, or behind something else; None
    if nowhere. `taken`: by offset, also of what lies in no such mapping."""
    used, size = place
    for at in (used, 0, *(_rounded(one.stop) for one in taken if one.stop > 0)):
        if at + wanted <= size and not any(at < one.stop and one.start < at + wanted for one in taken):
            return at
    return None


def _rounded(size: int) -> int:
    return size + 63 & ~63
