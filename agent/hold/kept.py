"""Bytes of one direction of a stream that are gathered, by their positions. What passed meanwhile is not among them: there are gaps."""

_Piece = tuple[int, bytearray]  # its position and its bytes


class Kept:
    """Pieces in order, none empty, none touching the next."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []

    def __len__(self) -> int:
        return sum(len(data) for _, data in self._pieces)

    def __bytes__(self) -> bytes:
        return b"".join(data for _, data in self._pieces)

    def known(self, position: int) -> int:
        """How many bytes from a position on are not new: they lie before the end of all that is here."""
        return max(0, _end(self._pieces[-1]) - position) if self._pieces else 0

    def add(self, position: int, data: bytes) -> None:
        """The bytes from a position on, as far as they are new."""
        new = data[self.known(position) :]
        if self._pieces and position <= _end(self._pieces[-1]):
            self._pieces[-1][1].extend(new)
        elif new:
            self._pieces.append((position, bytearray(new)))

    def drop(self, position: int) -> None:
        """What lies below a position is not needed any more."""
        while self._pieces and _end(self._pieces[0]) <= position:
            del self._pieces[0]
        if self._pieces and self._pieces[0][0] < position:
            begin, data = self._pieces[0]
            del data[: position - begin]
            self._pieces[0] = position, data

    def between(self, begin: int, end: int) -> bytes | None:
        """These bytes; None where they are not all here."""
        for at, data in self._pieces:
            if at <= begin <= end <= at + len(data):
                return bytes(data[begin - at : end - at])
        return None if begin < end else b""


def _end(piece: _Piece) -> int:
    position, data = piece
    return position + len(data)
