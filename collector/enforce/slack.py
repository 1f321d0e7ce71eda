"""A message for people in Slack, in Block Kit. Lengths keep to Slack's limits (https://docs.slack.dev/reference/block-kit/blocks).

Block models are slack-sdk's, which check those limits; what sends them is post.py, for reasons that stand there.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from slack_sdk.models.blocks import Block, ContextBlock, DividerBlock, HeaderBlock, MarkdownTextObject, PlainTextObject, SectionBlock

from chaperone.collector.enforce.alerting import Slack
from chaperone.collector.enforce.message import Entry, Kind, Message
from chaperone.collector.enforce.outcome import Fate, Outcome
from chaperone.collector.enforce.plain import code, escaped, fenced
from chaperone.collector.enforce.post import post

HEADER = 150
SECTION = 3000
FIELD = 2000
LINES = 20  # of a digest
_SIGNS = {"critical": "🟥", "high": "🟧", "medium": "🟨", "low": "🟦", "info": "⬜"}
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_REFUSED = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "invalid_blocks", "msg_too_long"})
_VERBS = {"alert": "alert", "deny": "deny", "approve": "ask for approval", "kill": "kill", "mask": "mask"}


async def send(slack: Slack, message: Message) -> Outcome:
    """Post it; with a token in an earlier message's place, if it replaces one."""
    if slack.token is None:
        return await post(slack.endpoint, _packed(payload(message)), _JSON)
    if message.replaces:
        outcome = await _call(slack, "chat.update", message, _place(message.replaces))
        if outcome.fate is not Fate.REFUSED:
            return outcome  # else it was deleted, or is too old to be rewritten
    return await _call(slack, "chat.postMessage", message, {"channel": slack.channel})


async def _call(slack: Slack, method: str, message: Message, where: dict[str, str]) -> Outcome:
    """A method of the Web API (https://docs.slack.dev/apis/web-api), which answers 200 and `ok: false` when it will not."""
    assert slack.token is not None
    headers = {**_JSON, "Authorization": f"Bearer {slack.token.reveal()}"}
    outcome = await post(slack.endpoint, _packed({**payload(message), **where}), headers, method)
    return outcome if outcome.fate is not Fate.SENT else _meant(outcome)


def _meant(outcome: Outcome) -> Outcome:
    try:
        found = json.loads(outcome.said)
        if found["ok"]:
            return Outcome(Fate.SENT, outcome.why, handle=f"{found['channel']} {found['ts']}")
        error = str(found["error"])
    except (ValueError, KeyError, TypeError):
        return Outcome(Fate.LATER, "it answered something that is not Slack's")
    known = error if re.fullmatch(r"[a-z_]{1,60}", error) else "an error"
    return Outcome(Fate.REFUSED if error in _REFUSED else Fate.LATER, f"Slack says {known}")


def _place(handle: str) -> dict[str, str]:
    channel, _, ts = handle.partition(" ")
    return {"channel": channel, "ts": ts}


def _packed(found: dict[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode(errors="replace")


def payload(message: Message) -> dict[str, Any]:
    """What the webhook takes: blocks, and `text` for notifications."""
    blocks = _digest(message) if message.kind is Kind.DIGEST else _one(message.entries[0], message)
    if message.dropped:
        blocks.append(_context([f"{message.dropped} further alerts were dropped, since too many waited: chaperone alerts list"]))
    return {"text": _notification(message), "blocks": [block.to_dict() for block in blocks], "unfurl_links": False, "unfurl_media": False}


def _notification(message: Message) -> str:
    alert = message.entries[0].alert
    if message.kind is Kind.DIGEST:
        return f"{len(message.entries) + message.omitted} alerts from Chaperone"
    return escaped(f"[{alert['severity']}] {alert['rule']}: {alert['message']}", SECTION)


def _one(entry: Entry, message: Message) -> list[Block]:
    alert = entry.alert
    title = f"{_SIGNS[alert['severity']]} {_kind(alert)}: {alert['rule']}"
    blocks: list[Block] = [HeaderBlock(text=_text(title, HEADER)), SectionBlock(text=_text(alert["message"], SECTION))]
    if message.kind is Kind.TEST:
        return blocks
    if more := entry.new - (message.kind is Kind.FIRST):
        since = "since then" if entry.before else "at the same time"
        said = f"*{more} more like this* {since}, {entry.count} in all. The last at {code(entry.last['time'], 60)}:"
        blocks.append(_section(f"{said} {code(entry.last['message'], 1000)}"))
    blocks.append(SectionBlock(fields=[_markdown(f"*{name}*\n{text}", FIELD) for name, text in _fields(alert)]))
    blocks += [_section(f"*{name}*\n{text}") for name, text in _long(alert)]
    return [*blocks, _context(_about(alert))]


def _kind(alert: dict[str, Any]) -> str:
    """How bad it is, or how an approval stands."""
    state = alert.get("approval", {}).get("state")
    return str(alert["severity"]).upper() if state is None else "APPROVAL WANTED" if state == "pending" else f"APPROVAL {state.upper()}"


def _fields(alert: dict[str, Any]) -> list[tuple[str, str]]:
    who, process = alert["who"], alert["process"]
    program = f"{process['exe']} [{process['pid']}]" if process["pid"] is not None else process["exe"]
    user = f"{who['user'] or 'unknown'} ({who['userSource']})" + (f", run by {who['asked']}" if who["asked"] else "")
    rows = [
        ("What", code(what(alert), 600)),
        ("Who", code(user, 600)),
        ("Pod" if who["pod"] else "Workload", code(who["pod"] or who["workload"], 600)),
        ("Process", code(program, 600)),
        ("Rule says", code(f"{_VERBS[alert['action']]} ({alert['mode']})", 100)),
    ]
    return [*rows, ("MITRE", code(", ".join(alert["mitre"]), 200))] if alert["mitre"] else rows


def what(alert: dict[str, Any]) -> str:
    """`create pods/agent/exec in default`, or method and address of something else."""
    found = alert["what"]
    if not found["verb"] or not found["resource"]:
        return f"{found['verb'] or found['method'] or 'connect to'} {found['authority']}{found['uri']}"
    group = f".{found['apiGroup']}" if found["apiGroup"] else ""
    thing = "/".join(part for part in (found["resource"] + group, found["name"], found["subresource"]) if part)
    return f"{found['verb']} {thing}" + (f" in {found['namespace']}" if found["namespace"] else "")


def _long(alert: dict[str, Any]) -> list[tuple[str, str]]:
    evidence = "\n".join(f"{item['word']} = {item['value']}" for item in alert["evidence"] if item["value"])
    unknown = f"\nunknown: {', '.join(alert['unknown'])}" if alert["unknown"] else ""
    commands = "\n".join(command for command in (alert["replay"], alert["inspect"]) if command)
    found = {"Command line": alert["process"]["command"], "Evidence (masked)": (evidence + unknown).strip(), "Replay": commands}
    found = _approval(alert.get("approval", {})) | found
    return [(name, fenced(text, SECTION - 100)) for name, text in found.items() if text]


def _approval(found: dict[str, Any]) -> dict[str, str]:
    """What somebody who decides looks at first. A command is no link: deciding is a call by somebody who is known."""
    if not found:
        return {}
    votes = [f"{vote['who']} {'approves' if vote['approves'] else 'denies'}: {vote['why']}" for vote in found["votes"]]
    needs = [f"{need['rule']}: {need['approvals']} of {', '.join(need['approvers'])}" for need in found["needs"]]
    shell = f"A shell ({found['shell']})" if found.get("shell") else "Command inside"
    return {
        shell: found.get("command", ""),
        "Would change (masked)": "\n".join(found.get("diff", [])),
        "Said": "\n".join(votes),
        f"Wants, until {found['until']}": "\n".join(needs) if found["state"] == "pending" else "",
        "Decide": "\n".join(found["decide"]),
    }


def _about(alert: dict[str, Any]) -> Iterable[str]:
    yield f"policy {alert['policy']}"
    yield f"session {alert['session']}"
    yield f"alert {alert['id']}"
    yield f"{alert['time']}" + (f" on {alert['who']['node']}" if alert["who"]["node"] else "")


def _digest(message: Message) -> list[Block]:
    total = len(message.entries) + message.omitted
    rows = [_row(entry) for entry in message.entries[:LINES]]
    blocks: list[Block] = [HeaderBlock(text=_text(f"{total} alerts", HEADER)), DividerBlock()]
    blocks += [_section(row) for row in rows]
    rest = total - len(rows)
    listed = "chaperone alerts list shows all of them"
    return [*blocks, _context([f"{rest} more; {listed}" if rest else listed])]


def _row(entry: Entry) -> str:
    alert = entry.alert
    times = f" {entry.new} times" if entry.new > 1 else ""
    about = f"{_SIGNS[alert['severity']]} {code(alert['rule'], 200)}{times} {code(alert['message'], 1000)}"
    return f"{about} {code(alert['who']['pod'] or alert['who']['workload'], 200)} {code(alert['inspect'] or alert['replay'], 200)}"


def _text(text: str, limit: int) -> PlainTextObject:
    return PlainTextObject(text=escaped(text, limit), emoji=False)


def _markdown(text: str, limit: int) -> MarkdownTextObject:
    return MarkdownTextObject(text=text[:limit], verbatim=True)


def _section(text: str) -> SectionBlock:
    return SectionBlock(text=_markdown(text, SECTION))


def _context(texts: Iterable[str]) -> ContextBlock:
    return ContextBlock(elements=[_text(text, 300) for text in texts])
