"""How a command ended: what the error channel says.

From v4 on it is a Status in JSON (client-go tools/remotecommand v4.go), before that plain text. The text of a message
differs by transport; a Status is read by its cause only.
"""

import re
from typing import Any

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.kube.upgrade.pieces import Content, document, text
from chaperone.proto.records import Direction

ERROR_LIMIT = 64 * 1024  # bytes of a Status that are waited for
UNSEEN = "the end was not seen"
_CODE = re.compile(r"[0-9]{1,10}\Z")
_SAID_CODE = re.compile(rb"exit(?:ed with)? (?:code|status):? ([0-9]{1,10})\b")


class Ending:
    """The error channel of one command. `exit` is None until it is known."""

    def __init__(self) -> None:
        self.exit: Exit | None = None
        self._held = b""
        self._last: Content | None = None

    def take(self, content: Content, whole: bool) -> list[Piece]:
        """More of the error channel; `whole`: nothing belongs to it behind this."""
        if content.event.direction is not Direction.IN:
            return [text("error", content)] if content.data else []
        self._held += content.data
        self._last = content
        status = document("error", Content(content.event, self._held, content.doubts), "Status") if self._held[-1:] in b"}\n" else None
        if status and isinstance(status.body.object, dict):
            self._end(_exit(status.body.object))
            self._held = b""
            return [status]
        return self.flush() if whole or len(self._held) > ERROR_LIMIT else []

    def flush(self) -> list[Piece]:
        """The error channel is over: what is held is no Status."""
        held, self._held = self._held, b""
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
