"""Bytes of one direction of a stream that are gathered, by their positions. What passed meanwhile is not among them: there are gaps."""


class Kept:
    """Pieces in order, none empty, none touching the next."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, bytearray]] = []

    def __len__(self) -> int:
        return sum(len(data) for _, data in self._pieces)

    def __bytes__(self) -> bytes:
        return b"".join(data for _, data in self._pieces)

    def new(self, position: int, data: bytes) -> bytes:
        """What of these bytes lies behind all that is here."""
        return data[max(0, self._end - position) :] if self._pieces else data

    def add(self, position: int, data: bytes) -> None:
        """The bytes from a position on, as far as they are new."""
        new = self.new(position, data)
        if self._pieces and position <= self._end:
            self._pieces[-1][1].extend(new)
        elif new:
            self._pieces.append((position, bytearray(new)))

    def drop(self, position: int) -> None:
        """What lies below a position is not needed any more."""
        while self._pieces and self._pieces[0][0] < position:
            begin, data = self._pieces.pop(0)
            if begin + len(data) > position:
                self._pieces.insert(0, (position, data[position - begin :]))

    def between(self, begin: int, end: int) -> bytes | None:
        """These bytes; None where they are not all here."""
        for at, data in self._pieces:
            if at <= begin <= end <= at + len(data):
                return bytes(data[begin - at : end - at])
        return None if begin < end else b""

    @property
    def _end(self) -> int:
        position, data = self._pieces[-1]
        return position + len(data)
