"""Texts that a workload may have chosen, made fit for a message: no control, no direction change, no markup."""

import unicodedata

QUOTE = "\u02cb"  # looks like a backtick
NOTHING = "-"
_SAID = {"\n": "⏎", "\t": " ", "\r": "␍"}
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str) -> str:
    """Without characters that can't be seen or that change how others are seen: they are written as \\u{…}."""
    return "".join(_seen(character) for character in text)


def escaped(text: str, limit: int) -> str:
    """`plain`, with & < > as Slack wants them (https://docs.slack.dev/messaging/formatting-message-text), at most `limit` characters."""
    found: list[str] = []
    size = 0
    for character in plain(text):
        part = _ENTITIES.get(character, character)
        if size + len(part) > limit - 1:
            return "".join(found) + "…"
        found.append(part)
        size += len(part)
    return "".join(found)


def code(text: str, limit: int) -> str:
    """As inline code, in which nothing else is markup; a backtick would end it."""
    return f"`{escaped(text.replace('`', QUOTE), limit - 2)}`" if text.strip() else NOTHING


def fenced(text: str, limit: int) -> str:
    """Lines of code."""
    rows = [escaped(line.replace("`", QUOTE), limit) for line in text.split("\n")]
    whole = "\n".join(rows)
    return f"```\n{_cut(whole, limit - 8)}\n```"


def _cut(whole: str, limit: int) -> str:
    """At most `limit` characters, no entity cut in two."""
    if len(whole) <= limit:
        return whole
    kept = whole[: limit - 1]
    start = kept.rfind("&")
    return (kept[:start] if start >= 0 and ";" not in kept[start:] else kept) + "…"


def _seen(character: str) -> str:
    if character in _SAID:
        return _SAID[character]
    return f"\\u{{{ord(character):x}}}" if unicodedata.category(character) in _UNSEEN else character
