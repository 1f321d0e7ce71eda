"""How much more body a client of HTTP/2 may send (RFC 9113 §5.2, §6.9): once nothing, it waits for the server.

A server that never saw the gathered bytes would never give more, so the verdict must not wait for the rest of them. What has left to
the server is given back, by some once it is half of the window (nghttp2): only when less than that has left, the connection is shut.
"""

from chaperone.collector.wire.compose.frames import Flag, Frame, Kind

INITIAL = 65_535
INITIAL_WINDOW_SIZE = 4  # RFC 9113 §6.5.2
CONNECTION = 0


class Window:
    """The client's windows, as of what both sides said."""

    def __init__(self) -> None:
        self._initial = INITIAL
        self._left = {CONNECTION: INITIAL}
        self._widest = INITIAL  # of the connection, had nothing been gathered

    def is_shut(self, number: int) -> bool:
        """Whether the client may send no more on this h2 stream before the server has all of it."""
        return self._left.get(number, self._initial) <= 0

    def is_full(self, gathered: int) -> bool:
        """Whether the client may never send more on any while `gathered` bytes of DATA stay here."""
        self._widest = max(self._widest, self._left[CONNECTION] + gathered)
        return self._left[CONNECTION] <= 0 and 2 * gathered > self._widest

    def opened(self, number: int) -> None:
        """A request began on this h2 stream."""
        self._left[number] = self._initial

    def sent(self, number: int, size: int) -> None:
        """The client wrote a DATA frame of this size."""
        self._left[CONNECTION] -= size
        if number in self._left:
            self._left[number] -= size

    def over(self, number: int) -> None:
        """Nothing more is sent on this h2 stream."""
        self._left.pop(number, None)

    def credited(self, size: int) -> None:
        """The client was given back what it sent in vain."""
        self._left[CONNECTION] += size

    def received(self, frame: Frame) -> None:
        """What the server said."""
        if frame.kind == Kind.WINDOW_UPDATE and frame.size == 4:
            if frame.number in self._left:
                self._left[frame.number] += int.from_bytes(frame.payload, "big") & 0x7FFFFFFF
                self._widest = max(self._widest, self._left[CONNECTION])
        elif frame.kind == Kind.SETTINGS and not frame.flags & Flag.ACK:
            for at in range(0, frame.size - 5, 6):
                self._set(frame.payload[at : at + 6])

    def _set(self, setting: bytes) -> None:
        if int.from_bytes(setting[:2], "big") != INITIAL_WINDOW_SIZE:
            return
        change, self._initial = int.from_bytes(setting[2:], "big") - self._initial, int.from_bytes(setting[2:], "big")
        for number in self._left.keys() - {CONNECTION}:
            self._left[number] += change
