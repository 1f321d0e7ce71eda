"""Where the bytes lie that a held call writes instead of its caller's: memory of ours in its process, used in a ring."""

from chaperone.agent.gate import memory
from chaperone.agent.hold import remote
from chaperone.agent.hold.layout import HeldRecord

SIZE = 1 << 20
PROCESSES = 4096
PAGE = 4096
Image = tuple[int, int, int]  # pid, start, how many programs it has been: exec takes the memory with it


class Arena:
    """One mapping a process, made by the first of its threads that needs it; a larger one when it is too small."""

    def __init__(self) -> None:
        self._places: dict[Image, tuple[int, int, int]] = {}  # address, size, used

    def put(self, held: HeldRecord, data: bytes) -> int:
        """The address of `data` in the process of a held, stopped thread."""
        image = (held.head.pid, held.head.started, held.head.image)
        address, size, used = self._places.get(image, (0, 0, 0))
        if len(data) > size:
            size = max(SIZE, (len(data) + PAGE - 1) // PAGE * PAGE)
            address, used = remote.mapped(held.head.pid, held.tid, size), 0
        if used + len(data) > size:
            used = 0
        memory.write(held.head.pid, address + used, data)
        self._places.pop(image, None)
        self._places[image] = address, size, used + (len(data) + 63 & ~63)
        if len(self._places) > PROCESSES:
            self._places.pop(next(iter(self._places)))
        return address + used
