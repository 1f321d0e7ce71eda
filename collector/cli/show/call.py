"""A call's document → the cells of its row and the words for its object, process and state."""

from collections.abc import Callable
from typing import Any

from chaperone.collector.cli.show.table import Cell
from chaperone.collector.cli.show.times import age, took
from chaperone.collector.times import time_ns

Document = dict[str, Any]
SHORT = 8  # hex digits of an id in tables, as git does; ID arguments take any unique prefix


def short(id_: str) -> str:
    """An id as tables show it."""
    return id_[:SHORT]


def subject(call: Document) -> str:
    """What the call is about: `secrets/db`, `pods/agent/exec`, or the request's path."""
    if not call.get("resource"):
        return str(call.get("requestURI") or call.get("path") or "").split("?")[0]
    group = f".{call['apiGroup']}" if call.get("apiGroup") else ""
    return "/".join(part for part in (call["resource"] + group, call["name"], call["subresource"]) if part)


def program(call: Document) -> str:
    """`kubectl[1234]`, or the user agent's first word where no process is known."""
    process = call.get("process") or {}
    name = str(process.get("exe") or (process.get("argv") or [""])[0]).rsplit("/", 1)[-1]
    if process.get("pid") is None:
        return name or str(call.get("userAgent", "")).split("/")[0].split(" ")[0]
    return f"{name}[{process['pid']}]"


def state(call: Document) -> Cell:
    """`ok`, `open`, `denied` where it never left, or what is doubtful about it."""
    if call.get("denied"):
        return Cell("denied", "bad")
    if not call["complete"]:
        return Cell("incomplete", "bad")
    if call.get("ambiguous"):
        return Cell("ambiguous", "doubtful")
    return Cell("ok", "good") if call["phase"] == "end" else Cell("open", "doubtful")


def code(call: Document) -> Cell:
    """The HTTP status, `-` without an answer."""
    number = call.get("code")
    if number is None:
        return Cell("-", "faint")
    return Cell(str(number), "bad" if number >= 400 else "good")


COLUMNS: dict[str, Callable[[Document, int], Cell | str]] = {
    "ID": lambda call, now: short(call["id"]),
    "AGE": lambda call, now: age(now - time_ns(call.get("at") or call["time"])),
    "PROCESS": lambda call, now: program(call),
    "VERB": lambda call, now: call.get("verb") or call.get("method") or "",
    "OBJECT": lambda call, now: subject(call),
    "NAMESPACE": lambda call, now: call.get("namespace", ""),
    "CODE": lambda call, now: code(call),
    "TOOK": lambda call, now: took(call["duration_ms"]),
    "STATE": lambda call, now: state(call),
}


def row(call: Document, now: int) -> list[Cell | str]:
    """The cells of COLUMNS; `now` is wall-clock ns."""
    return [make(call, now) for make in COLUMNS.values()]
