"""What is remembered of one stream while it is enforced: gathered bytes, a write that is under way, whether it is dead."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaperone.agent.hold.kept import Kept
from chaperone.agent.trace.layout import StreamKey
from chaperone.proto.records import Direction
from chaperone.proto.refusals import Refusal, made

KEPT_LIMIT = 16 << 20  # bytes that one direction of a stream may gather
NEVER = 2**63 - 1  # a position that no stream reaches


class OrderError(ValueError):
    """An order that this agent does not carry out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes from `begin` to `end`, as they are or as a template makes them."""

    begin: int
    end: int
    template: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A write in the place of `offered` (at `buffer`) at `position`: `done` bytes of it, which lies at `address`, were taken.
    `is_called`: we call for the rest of it; by then `buffer` may hold something else, which GnuTLS does not mind. `copy`: where what was
    offered can be read until then.
    """

    position: int
    offered: bytes
    buffer: int
    address: int
    copy: int
    size: int
    done: int = 0
    is_called: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is to be done at its return once all of it was accepted: its caller's length is right by itself."""
        return not self.done and self.size == len(self.offered)

    @property
    def space(self) -> range:
        """The addresses of what we have put into its process for it."""
        return range(self.address, self.address + self.size if self.copy == self.buffer else self.copy + len(self.offered))


@dataclass(slots=True)
class Lane:
    """`begin`: what the stream's positions have in front of the kernel's. `positions`: from where OUT and IN are held.

    `passed`: position and bytes of the last write that was let go. `owed`: what its reader is to be given before it reads on.
    """

    key: StreamKey
    begin: int = 0
    dead: bool = False
    free: bool = False
    unfinished: Unfinished | None = None
    passed: tuple[int, bytes] = (0, b"")
    owed: bytes = b""
    writer: int = 0  # the thread that would go on with a request of which a part is kept here
    positions: list[int] = field(default_factory=lambda: [0, NEVER])
    _kept: tuple[Kept, Kept] = field(default_factory=lambda: (Kept(), Kept()))

    def keep(self, direction: Direction, position: int, data: bytes) -> None:
        """Gather the bytes of a held call; what is there already stays. OrderError beyond the limit."""
        kept = self._kept[direction]
        if len(kept) + max(0, len(data) - kept.known(position)) > KEPT_LIMIT:
            raise OrderError(f"more than {KEPT_LIMIT} bytes are gathered")
        kept.add(position, data)

    @property
    def size(self) -> int:
        """Bytes that are kept, also of a write that may come again."""
        offered = len(self.unfinished.offered) if self.unfinished else 0
        return len(self._kept[0]) + len(self._kept[1]) + len(self.owed) + len(self.passed[1]) + offered

    @property
    def is_between(self) -> bool:
        """Whether its program believes more to have left, or less to have come, than has."""
        return bool(self._kept[Direction.OUT] or self._kept[Direction.IN] or self.owed)

    @property
    def is_replacing(self) -> bool:
        """Whether its program is to read something else than what its server says."""
        return bool(self._kept[Direction.IN] or self.owed) or self.positions[Direction.IN] != NEVER

    def gathered(self, direction: Direction) -> bytes:
        """All that is kept."""
        return bytes(self._kept[direction])

    def drop(self, direction: Direction, position: int) -> None:
        """What lies below a position is not needed any more."""
        self._kept[direction].drop(position)

    def composed(self, direction: Direction, pieces: Sequence[Piece]) -> bytes:
        """The bytes of an order. OrderError where it names bytes that are not kept, or what no template makes."""
        try:
            return b"".join(made(piece.template, self._between(direction, piece), piece.refusal) for piece in pieces)
        except ValueError as error:
            raise OrderError(str(error)) from None

    def was_passed(self, position: int, data: bytes) -> bool:
        """Whether these very bytes were let go before and not, or not all, accepted."""
        begin, bytes_ = self.passed
        return bool(data) and position >= begin and bytes_[position - begin : position - begin + len(data)] == data

    def goes_on(self, position: int, data: bytes) -> bool:
        """Whether it is the write that is under way: called by us, or these very bytes offered again."""
        write = self.unfinished
        return write is not None and write.position == position and (write.is_called or write.offered == data)

    def may_repeat(self, position: int) -> bool:
        """Whether a write there may be one that was decided before."""
        begin, bytes_ = self.passed
        return begin <= position < begin + len(bytes_) or (self.unfinished is not None and self.unfinished.position == position)

    def accepted(self, position: int | None) -> None:
        """All in front of this position was, all of the stream where it is None: of that nothing comes again."""
        begin, bytes_ = self.passed
        if position is None or position >= begin + len(bytes_):
            self.passed = (0, b"")
        write = self.unfinished
        if write and write.is_whole and (position is None or position >= write.position + len(write.offered)):
            self.unfinished = None

    def _between(self, direction: Direction, piece: Piece) -> bytes:
        if (data := self._kept[direction].between(piece.begin, piece.end)) is None:
            raise OrderError("it names bytes that are not gathered")
        return data
