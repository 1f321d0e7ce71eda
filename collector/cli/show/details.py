"""One call or session in full, as text: every header, the masked bodies, what its channels brought."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from chaperone.collector.cli.show.body import amount, contents, described
from chaperone.collector.cli.show.call import program, subject
from chaperone.collector.cli.show.escape import escape, lines
from chaperone.collector.cli.show.times import took
from chaperone.collector.cli.show.verdict import line as verdict_line
from chaperone.collector.rules.event import command_line
from chaperone.collector.times import time_ns

Document = dict[str, Any]
LABEL = 12


def call_lines(call: Document, pieces: Iterable[Document], verdicts: Iterable[Document] = ()) -> Iterator[str]:
    """A call: its facts, what rules said of it, headers, bodies, channels."""
    yield from _facts(_call_facts(call))
    yield from (f"{'Verdict:':<{LABEL}} {verdict_line(verdict)}" for verdict in verdicts)
    for side in ("request", "response"):
        yield from _message(call, side)
    start = time_ns(call["time"])
    heading = ["", "Channels:"]
    for piece in pieces:
        yield from heading
        heading = []
        yield from ("  " + line for line in piece_lines(piece, start))


def piece_lines(piece: Document, start: int) -> list[str]:
    """`+0.120s  stdout  text`, one line for each line of text."""
    body = piece["body"]
    texts = contents(body, None) or [described(body)] if body["encoding"] != "utf-8" else lines(body.get("data") or "")
    offset = (time_ns(piece["time"]) - start) / 1e9
    arrow = "→" if piece["direction"] == "out" else "←"
    return [f"+{offset:.3f}s {arrow} {escape(piece['channel'])}: {text}" for text in texts]


def session_facts(session: Document) -> Iterator[str]:
    """A session's summary."""
    complete = "yes" if session.get("complete") else "no: " + "; ".join(session.get("missing", []))
    facts = {
        "Session": session["id"],
        "Command": shlex.join(session.get("argv") or ()),
        "Workload": session.get("workload", ""),
        **_pod_facts(session),
        "User": session.get("user", ""),
        "Node": session.get("node", ""),
        "Directory": session.get("cwd", ""),
        "API servers": ", ".join(session.get("apiservers") or ()),
        "Began": session.get("time") or "",
        "Continues": session.get("continues", ""),
        "Ended": _ended(session),
        "Status": "" if session.get("status") is None else str(session["status"]),
        "Calls": str(session.get("calls", 0)),
        "Other": f"{session['exchanges']} (not Kubernetes)" if session.get("exchanges") else "",
        "Bytes": f"{amount(session['bytes']['out'])} out, {amount(session['bytes']['in'])} in" if session.get("bytes") else "",
        "Policies": ", ".join(map(_policy, session.get("governedBy") or ())),
        "Verdicts": _verdicts(session),
        "Complete": complete,
    }
    return _facts(facts)


def _ended(session: Document) -> str:
    cut = f" ({session['cut']}; goes on in {session['goesOn']})" if session.get("cut") else ""
    return f"{session.get('ended') or ''}{cut}"


def _policy(policy: Document) -> str:
    acting = f": {policy['enforced']} of {policy['rules']} rules" if policy["mode"] == "enforce" and "rules" in policy else ""
    return f"{policy['policy']} ({policy['mode']}{acting}{', of the run' if policy['from'] == 'run' else ''})"


def place(session: Document) -> str:
    """Where a container's session happened: namespace/pod/container; "" for another session."""
    known = session.get("lookedUp") or {}
    return "/".join(filter(None, (known.get("pod", ""), known.get("container", ""))))


def _pod_facts(session: Document) -> dict[str, str]:
    known = session.get("lookedUp")
    labels = {"Labels": ", ".join(f"{name}={value}" for name, value in (session.get("labels") or {}).items())}
    if not known:
        return labels
    return {
        "Pod": f"{known['pod']} ({known['uid']})",
        "Container": f"{known['container']} {known['containerID']}",
        "Image": known["image"],
        "Account": known["serviceAccount"],
        "Owner": known["owner"],
        "Runtime": known["runtimeClass"],
        **labels,
    }


def _verdicts(session: Document) -> str:
    found = ", ".join(f"{count} {action}" for action, count in (session.get("verdicts") or {}).items())
    undone = session.get("notCarriedOut")
    return f"{found} ({undone} not carried out)" if undone else found


def _call_facts(call: Document) -> dict[str, str]:
    impersonated = call["impersonated"]
    return {
        "Call": call["id"],
        "Session": call["session"],
        "Process": " ".join([program(call), command_line(call["process"])]),
        "Time": f"{call['time']}, took {took(call['duration_ms'])}",
        "Does": " ".join([call["verb"], subject(call), f"in {call['namespace']}" if call["namespace"] else ""]),
        "User": f"{call['user']} ({call['userSource']})" if call["user"] else call["userSource"],
        "Acts as": ", ".join([impersonated["user"], *impersonated["groups"]]) if impersonated else "",
        "Request": f"{call['method']} {call['requestURI']} ({call['protocol']}, {call['authority']})",
        "Answer": "none" if call["code"] is None else str(call["code"]),
        "Denied": (call.get("denied") or {}).get("message", ""),
        "Exit": f"{call['exit']['code']} {call['exit']['reason']}" if call["exit"] else "",
        "Audit-Id": call["auditID"],
        "Bytes": f"{amount(call['bytes']['out'])} out, {amount(call['bytes']['in'])} in",
        "Complete": "yes" if call["complete"] else "no: " + _gaps(call),
        "Ambiguous": "; ".join(call["ambiguous"]),
    }


def _gaps(call: Document) -> str:
    return "; ".join(f"{gap['reason']} ({gap['direction']} at {gap['position']})" for gap in call["gaps"]) or "cut off"


def _facts(facts: dict[str, str]) -> Iterator[str]:
    for name, value in facts.items():
        if value.strip():
            yield f"{name + ':':<{LABEL}} {escape(value.strip())}"


def _message(call: Document, side: str) -> Iterator[str]:
    if headers := call[f"{side}Headers"]:
        yield from ("", f"{side.capitalize()} headers:")
        yield from (f"  {escape('?' if name is None else name)}: {escape('?' if value is None else value)}" for name, value in headers)
    if body := call[f"{side}Body"]:
        yield from ("", f"{side.capitalize()} body: {described(body)}")
        yield from ("  " + line for line in contents(body, None))
