"""How a known value may be written: raw, in base64 of each alignment, hex, as a URL (RFC 3986) and in JSON (RFC 8259).

Base64 is cut to the characters that the value alone determines, so it is found in the middle of anything that was encoded.
"""

import json
from base64 import b64encode
from urllib.parse import quote, quote_plus

from chaperone.collector.mask.patterns import compiled

LONGEST = 6 * 96  # bytes of the longest form of a part (worth.WHOLE), as JSON escapes

_ENDS = compiled(rb"[\r\n\0]+")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_HTML = {b"<": b"\\u003c", b">": b"\\u003e", b"&": b"\\u0026"}  # Go's encoding/json


def forms(value: bytes, shortest: int) -> set[bytes]:
    """All of them. Where the value has line ends its lines are looked for when it is raw, as a channel is read by lines."""
    found = {value, *_base64(value), value.hex().encode(), value.hex().upper().encode(), *_urls(value), *_json(value)}
    if _ENDS.search(value):
        found.update(_ENDS.split(value))
    return {form for form in found if len(form) >= shortest}


def _base64(value: bytes) -> set[bytes]:
    found: set[bytes] = set()
    for shift in range(3):
        form = b64encode(bytes(shift) + value)[-(-shift * 8 // 6) : (shift + len(value)) * 8 // 6]
        found |= {form, form.translate(_URL_SAFE)}
    return found


def _urls(value: bytes) -> set[bytes]:
    found = {quote(value, safe="").encode(), quote(value).encode(), quote_plus(value).encode()}
    return found | {_lower_escapes(form) for form in found if b"%" in form}


def _lower_escapes(form: bytes) -> bytes:
    first, *rest = form.split(b"%")
    return b"%".join((first, *(part[:2].lower() + part[2:] for part in rest)))


def _json(value: bytes) -> set[bytes]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return set()
    plain = json.dumps(text, ensure_ascii=False)[1:-1].encode()
    html = plain
    for sign, escape in _HTML.items():
        html = html.replace(sign, escape)
    return {plain, html, json.dumps(text)[1:-1].encode(), plain.replace(b"/", b"\\/"), html.replace(b"\\", b"\\\\")}
