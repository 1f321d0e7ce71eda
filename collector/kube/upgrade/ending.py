"""How a command ended: what the error channel says.

From v4 on it is a Status in JSON (client-go tools/remotecommand v4.go), before that plain text. The text of a message
differs by transport; a Status is read by its cause only.
"""

import re
from typing import Any

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.kube.upgrade.pieces import Content, document, text
from chaperone.collector.wire.events import StrandData
from chaperone.proto.records import Direction

ERROR_LIMIT = 64 * 1024  # bytes of a Status that are waited for
TRIES = 16  # a Status is looked for in what is held; a server writes it at once
UNSEEN = "the end was not seen"
NO_ERROR = "the error stream ended without an error"  # which is success to every client-go
_CODE = re.compile(r"[0-9]{1,10}\Z")
_SAID_CODE = re.compile(rb"exit(?:ed with)? (?:code|status):? ([0-9]{1,10})\b")


class Ending:
    """The error channel of one command. `exit` is None until it is known; `torn`: some of the server's bytes are missing."""

    def __init__(self) -> None:
        self.exit: Exit | None = None
        self.torn = False
        self._tries = 0
        self._held = b""
        self._last: Content | None = None

    def take(self, content: Content, whole: bool) -> list[Piece]:
        """More of the error channel; `whole`: nothing belongs to it behind this."""
        if content.event.direction is not Direction.IN:
            return [text("error", content)] if content.data else []
        if whole and not self._held + content.data and isinstance(content.event, StrandData) and not self.torn:
            self._end(Exit(0, NO_ERROR))
        self._held += content.data
        self._last = content
        status = self._status()
        if status and isinstance(status.body.object, dict):
            self._end(_exit(status.body.object))
            self._held = b""
            return [status]
        return self.flush() if whole or len(self._held) > ERROR_LIMIT else []

    def _status(self) -> Piece | None:
        """The Status, if that is what is held."""
        if not self._last or self._tries >= TRIES or self._held[:1] != b"{" or self._held[-1:] not in b"}\n":
            return None
        self._tries += 1
        return document("error", Content(self._last.event, self._held, self._last.doubts), "Status")

    def flush(self) -> list[Piece]:
        """The error channel is over: what is held is no Status."""
        held, self._held, self._tries = self._held, b"", 0
        if not held or not self._last:
            return []
        code = _SAID_CODE.search(held)
        self._end(Exit(int(code[1]) if code else None, "an error in plain text"))
        return [text("error", Content(self._last.event, held, self._last.doubts))]

    def close(self) -> list[Piece]:
        """Nothing follows on any channel."""
        pieces = self.flush()
        self._end(Exit(None, UNSEEN))
        return pieces

    def silence(self) -> None:
        """The server closed in order, in a protocol in which success says nothing."""
        if not self._held and not self.torn:
            self._end(Exit(0, NO_ERROR))

    def _end(self, how: Exit) -> None:
        self.exit = self.exit or how


def _exit(status: dict[str, Any]) -> Exit:
    if status.get("status") == "Success":
        return Exit(0, "Success")
    reason = status.get("reason")
    return Exit(_code(status), reason if isinstance(reason, str) and reason else "Failure")


def _code(status: dict[str, Any]) -> int | None:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode" and _CODE.match(str(cause.get("message"))):
            return int(str(cause["message"]))
    return None
