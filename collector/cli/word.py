"""A word that decides something, to the socket of this machine's collector, or as a question to one on the network."""

import json
import socket
from pathlib import Path
from typing import Any

from chaperone.collector.cli.ask import Whom, ask
from chaperone.collector.cli.connect import reach
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.store.directory import DECISIONS, socket_path

Document = dict[str, Any]
ANSWER_S = 60.0
TRIES = 3


def said(asked: Whom, question: str, word: Document, step: str) -> Document:
    """What came of it. CommandError with the collector's own sentence, and this next step."""
    if not isinstance(asked, Path):
        return next(ask(asked, question, **word))
    answer = _answer(asked, word)
    if problem := answer.get("error"):
        raise CommandError(str(problem), step)
    found: Document = answer["done"]
    return found


def _answer(place: Path, word: Document) -> Document:
    """Of a collector that was just ending another is started; a word that may have been heard is not said twice."""
    for _ in range(TRIES):
        reach(place)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(socket_path(place, DECISIONS))
            except (ConnectionRefusedError, FileNotFoundError):
                continue
            return _told(connection, word)
    raise CommandError("nobody listens for decisions", "try again")


def _told(connection: socket.socket, word: Document) -> Document:
    """A line there, a line back."""
    try:
        connection.sendall(json.dumps(word).encode() + b"\n")
        with connection.makefile("rb") as lines:
            found: Document = json.loads(lines.readline())
    except (OSError, ValueError):
        raise CommandError("the collector did not answer", "chaperone approvals list and replay show what was recorded") from None
    return found
