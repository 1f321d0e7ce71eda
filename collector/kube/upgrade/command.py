"""The channels of exec and attach, whatever carries them (apimachinery pkg/util/remotecommand/constants.go)."""

import re
from dataclasses import replace

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.kube.upgrade.ending import Ending
from chaperone.collector.kube.upgrade.pieces import NO_CHANNEL, Content, document, text

NUMBERS = {0: "stdin", 1: "stdout", 2: "stderr", 3: "error", 4: "resize", 255: "close"}
RESIZE_LIMIT = 64  # sizes in one message; a terminal sends one
_SIZE = re.compile(rb"\{[^{}]*\}")
_NO_SIZES = "not sizes of a terminal"
_BYTES = ("stdin", "stdout", "stderr", "close", "unknown")


class Command:
    """Pieces of a command's channels, and how it ended."""

    def __init__(self) -> None:
        self._ending = Ending()

    @property
    def exit(self) -> Exit | None:
        """None while it may go on."""
        return self._ending.exit

    def numbered(self, number: int | None, content: Content, whole: bool) -> list[Piece]:
        """What a channel's number brought; None where a hole hides it."""
        if number is None:
            return self.named("unknown", replace(content, doubts=(*content.doubts, NO_CHANNEL)), whole)
        return self.named(NUMBERS.get(number, "unknown"), content, whole)

    def named(self, name: str, content: Content, whole: bool) -> list[Piece]:
        """What a channel's name brought. An empty message says "connected", and is no output."""
        if name == "error":
            return self._ending.take(content, whole)
        if not content.data:
            return []
        if name == "resize":
            return _sizes(content)
        return [text(name if name in _BYTES else "unknown", content)]

    def miss(self) -> None:
        """Some of the server's bytes are missing."""
        self._ending.torn = True

    def error_over(self) -> list[Piece]:
        """Nothing follows on the error channel."""
        return self._ending.flush()

    def silence(self) -> None:
        """The server closed in order, in a protocol in which success says nothing."""
        self._ending.silence()

    def close(self) -> list[Piece]:
        """Nothing follows at all."""
        return self._ending.close()


def _sizes(content: Content) -> list[Piece]:
    """Each `{"Width":120,"Height":40}` of a message, at a position of its own."""
    sizes = list(_SIZE.finditer(content.data))
    if _SIZE.sub(b"", content.data).strip() or not 0 < len(sizes) <= RESIZE_LIMIT:
        return [text("resize", replace(content, doubts=(*content.doubts, _NO_SIZES)))]
    pieces = [(size.start(), document("resize", replace(content, data=size[0]))) for size in sizes]
    return [replace(piece, position=piece.position + start) for start, piece in pieces]
