"""Recorded text made safe for a terminal: what a container printed must not move the reader's cursor.

Escaped are C0 and C1 controls, DEL, line and paragraph separators, lone surrogates, and the bidirectional controls that
reorder what a reader sees (Unicode TR 36 §3.1, CVE-2021-42574). Everything else, tabs within text aside, stays.
"""

import re

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def escape(text: str) -> str:
    """One line: control characters as \\x1b, \\n, \\u202e."""
    return CONTROL.sub(_escaped, text)


def lines(text: str) -> list[str]:
    """A text's lines, each escaped; a line's own end (CR LF too) is not shown."""
    return [escape(line.removesuffix("\r")) for line in text.removesuffix("\n").split("\n")]


def _escaped(match: re.Match[str]) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    character = match.group()
    return known.get(character) or (f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}")
