"""The moments of a session (the question "replay") → the lines a replay prints, each with its offset to the start."""

import base64
import shlex
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any

from chaperone.collector.cli.show.body import contents, described
from chaperone.collector.cli.show.call import program, short, subject
from chaperone.collector.cli.show.escape import escape, lines
from chaperone.collector.cli.show.table import painted
from chaperone.collector.cli.show.times import took
from chaperone.collector.cli.show.verdict import line as verdict_line
from chaperone.collector.rules.event import command_line
from chaperone.collector.times import time_ns

Document = dict[str, Any]
INDENT = " " * 11


class Timeline:
    """Remembers the start, and what each call was, so that its pieces can say whose they are."""

    def __init__(self, limit: int | None, colour: bool) -> None:
        self._limit, self._colour = limit, colour
        self._start: int | None = None
        self._calls: dict[str, Document] = {}
        self._makers: dict[str, Callable[[Document], list[str]]] = {
            "session": _session,
            "process": _process,
            "call": self._call,
            "answer": self._answer,
            "over": self._over,
            "piece": self._piece,
            "exchange": _exchange,
            "verdict": self._verdict,
            "approval": _approval,
            "kill": _kill,
            "loss": self._trouble,
            "gap": self._trouble,
            "note": self._trouble,
            "leak": self._trouble,
            "exit": _exit,
            "end": _end,
        }

    def lines(self, moment: Document) -> list[str]:
        """The lines of one moment; none for what a reader need not see."""
        maker = self._makers.get(moment["kind"])
        found = maker(moment["document"]) if maker else []
        if not found:
            return []
        at = time_ns(moment["at"]) if moment["at"] else self._start or 0
        if self._start is None:
            self._start = at
        offset = painted(f"{f'+{(at - self._start) / 1e9:.3f}s':<{len(INDENT)}}", "faint", self._colour)
        return [offset + found[0], *(INDENT + line for line in found[1:])]

    def _call(self, call: Document) -> list[str]:
        self._calls[call["id"]] = call
        where = f" in {escape(call['namespace'])}" if call["namespace"] else ""
        does = painted(f"{escape(call['verb'])} {escape(subject(call))}{where}", "bold", self._colour)
        head = f"{escape(program(call))} → {does}   {escape(call['method'])} {escape(call['requestURI'])}"
        return [head, *self._body(call["requestBody"])]

    def _answer(self, call: Document) -> list[str]:
        code, body = call["code"], call["responseBody"]
        shown = "no answer" if code is None else painted(str(code), "bad" if code >= 400 else "good", self._colour)
        facts = [shown, f"{escape(call['verb'])} {escape(subject(call))}"]
        facts += ["goes on"] if is_streaming(call) else [took(call["duration_ms"])]
        facts += [described(body)] if body else []
        facts += (
            []
            if call["complete"] or is_streaming(call) or (body and not body["complete"])
            else [painted("incomplete", "bad", self._colour)]
        )
        return [f"{escape(program(call))} ← {', '.join(facts)}", *self._body(body)]

    def _over(self, call: Document) -> list[str]:
        facts = [f"{escape(call['verb'])} {escape(subject(call))} is over", took(call["duration_ms"])]
        facts += [f"exit {call['exit']['code']} {escape(call['exit']['reason'])}"] if call["exit"] else []
        facts += [] if call["complete"] else [painted("incomplete", "bad", self._colour)]
        return [f"{escape(program(call))} ← {', '.join(facts)}"]

    def _body(self, body: Document | None) -> list[str]:
        if not body or self._limit == 0:
            return []
        return ["  " + painted(line, "faint", self._colour) for line in contents(body, self._limit)]

    def _piece(self, piece: Document) -> list[str]:
        whose = program(self._calls[piece["call"]]) if piece["call"] in self._calls else short(piece["call"])
        arrow = "→" if piece["direction"] == "out" else "←"
        head = f"{escape(whose)} {arrow} {escape(piece['channel'])}│ "
        return [head + line for line in _piece_text(piece["body"], self._limit)]

    def _verdict(self, verdict: Document) -> list[str]:
        return [painted(f"§ {verdict_line(verdict)}", "doubtful", self._colour)]

    def _trouble(self, document: Document) -> list[str]:
        return [painted(f"! {trouble(document)}", "doubtful", self._colour)]


def is_streaming(call: Document) -> bool:
    """Does it go on after its answer: a watch, a log, an upgraded connection?"""
    return call["code"] is not None and (call["code"] == 101 or call["verb"] == "watch" or call["subresource"] == "log")


def with_ends(moments: Iterable[Document]) -> Iterator[Document]:
    """The moments, and "over" where a streaming call ended."""
    ends: list[tuple[str, str, Document]] = []
    for moment in moments:
        while ends and ends[0][0] <= moment["at"]:
            at, _, call = heappop(ends)
            yield {"at": at, "kind": "over", "document": call}
        yield moment
        call = moment["document"]
        if moment["kind"] == "answer" and is_streaming(call) and call["ended"]:
            heappush(ends, (call["ended"], call["id"], call))
    yield from ({"at": at, "kind": "over", "document": call} for at, _, call in sorted(ends, key=itemgetter(0, 1)))


def trouble(document: Document) -> str:
    """A loss, a gap or a note, in one sentence."""
    if "text" in document:
        return escape(f"{document.get('subject', '')}: {document['text']}")
    what = f"{document['size']} bytes missing" if document.get("size") else "not readable"
    why = document.get("cause") or document.get("reason") or ""
    return escape(f"{what} ({document.get('direction', '')} at {document.get('position', 0)}): {why}")


def raw(piece: Document) -> bytes:
    """What a command printed, as it was (masked still)."""
    data: str = piece["body"].get("data") or ""
    return data.encode(errors="surrogatepass") if piece["body"]["encoding"] == "utf-8" else base64.b64decode(data)


def _piece_text(body: Document, limit: int | None) -> list[str]:
    if body["form"] != "text" or body["encoding"] != "utf-8":
        return contents(body, limit) or [described(body)]
    return lines(body.get("data") or "")


def _session(session: Document) -> list[str]:
    return [escape(f"session {short(session['id'])} begins: {shlex.join(session.get('argv') or ()) or session.get('workload', '')}")]


def _process(process: Document) -> list[str]:
    return [escape(f"{_name(process)} starts: {command_line(process)}")]


def _approval(found: Document) -> list[str]:
    """That somebody was asked, and all that became of it."""
    votes = [f"{vote['who']} {'approves' if vote['approves'] else 'denies'}: {vote['why']}" for vote in found["votes"]]
    return [escape(line) for line in (f"approval {short(found['id'])} of {found['alert']['rule']}: {found['state']}", *votes)]


def _kill(found: Document) -> list[str]:
    result = f" ({found['result']})" if found["result"] and found["result"] != found["stage"] else ""
    return [escape(f"{found['who']} kills {found['target']} {short(found['subject'])}: {found['why']} → {found['stage']}{result}")]


def _exit(process: Document) -> list[str]:
    return [escape(f"{_name(process)} ends{_status(process)}")]


def _end(session: Document) -> list[str]:
    return [escape(f"session {short(session['id'])} ends{_status(session)}")]


def _exchange(exchange: Document) -> list[str]:
    what = f"{exchange['method']} {exchange['authority']}{exchange.get('path', '')}"
    return [escape(f"{program(exchange)} ↔ {what}, {exchange['code'] or 'no answer'}, not Kubernetes: {exchange.get('reason', '')}")]


def _name(process: Document) -> str:
    name = str(process.get("exe") or (process.get("argv") or ["?"])[0]).rsplit("/", 1)[-1]
    return f"{name}[{process.get('pid')}]"


def _status(document: Document) -> str:
    status = document.get("status")
    return "" if status in (None, -1) else f" with status {status}"
