"""Exec, attach, cp and port-forward as text: every chunk of every channel with its time, then how it ended."""

import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chaperone.collector.cli.show.call import subject
from chaperone.collector.cli.show.details import piece_lines
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.times import time_ns

Document = dict[str, Any]
EVENTS = {"event", "log"}  # a watch and a log stream are no channels


def channel_lines(source: str, call: Document, pieces: list[Document]) -> Iterator[str]:
    """Nothing for a call without channels."""
    shown = [piece for piece in pieces if piece["channel"] not in EVENTS]
    if not shown and not call["subprotocol"]:
        return
    command = shlex.join(parse_qs(urlsplit(call["requestURI"]).query).get("command", []))
    said = ", ".join(part for part in (call["protocol"], call["subprotocol"]) if part)
    yield escape(f"{source}: {call['time']} {subject(call)} in {call['namespace']}: {command} ({said})")
    start = time_ns(call["time"])
    for piece in shown:
        yield from ("  " + line for line in piece_lines(piece, start))
    if call["exit"]:
        yield f"  exit {call['exit']['code']}: {escape(call['exit']['reason'])}"
    if not call["complete"]:
        yield "  incomplete"
