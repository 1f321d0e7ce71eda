"""JSON as the apiserver reads it: sigs.k8s.io/json, a case-sensitive encoding/json. The last of two equal keys wins.

orjson parses and, at once, proves that no key was repeated: written anew, a document with a repeated key has fewer
quotation marks. Only where that fails are the keys compared one by one. Writing also bounds the depth.
"""

import gc
import json
import re
from typing import Any

import orjson

from chaperone.collector.kube.forms.parsed import Parsed, UnreadableError

DEPTH_LIMIT = 254  # orjson.dumps; encoding/json allows 10 000
LARGE = 1024 * 1024
REPEATED_KEY = "a JSON key is repeated"
INVALID_UTF8 = "invalid UTF-8 in JSON"
LONE_SURROGATE = "a lone surrogate in JSON"
_ESCAPE = re.compile(r"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2}))")


def parse_json(data: bytes | memoryview) -> Parsed:
    """One JSON value, nothing behind it."""
    try:
        value = _load(data)
    except orjson.JSONDecodeError as error:
        return _as_go(bytes(data), str(error))
    return Parsed(value, (REPEATED_KEY,) if _has_repeated_key(bytes(data), value) else ())


def _load(data: bytes | memoryview) -> Any:
    """Building millions of containers would start the collector again and again: four fifths of a big list's time."""
    if len(data) < LARGE or not gc.isenabled():
        return orjson.loads(data)
    gc.disable()
    try:
        return orjson.loads(data)
    finally:
        gc.enable()


def _as_go(data: bytes, problem: str) -> Parsed:
    """What encoding/json accepts and orjson does not: bad UTF-8 and lone surrogates, both read as U+FFFD."""
    text = data.decode("utf-8", "replace")
    repaired = _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], text)
    doubts = (INVALID_UTF8,) * (text.encode() != data) + (LONE_SURROGATE,) * (repaired != text)
    if not doubts:
        raise UnreadableError(_reason(problem))
    try:
        value = orjson.loads(repaired)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(_reason(str(error))) from None
    return Parsed(value, doubts + (REPEATED_KEY,) * _has_repeated_key(repaired.encode(), value))


def _reason(problem: str) -> str:
    if "ecursion" in problem or "depth" in problem:
        return f"JSON nested deeper than {DEPTH_LIMIT}"
    return "bytes behind the JSON value" if "unexpected content after" in problem else "not JSON"


def _has_repeated_key(data: bytes, value: Any) -> bool:
    try:
        again = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise UnreadableError(f"JSON nested deeper than {DEPTH_LIMIT}") from None
    if again == data:
        return False
    if b"\\u0022" not in data and data.count(b'"') == again.count(b'"'):
        return False
    repeated: list[bool] = []
    json.loads(data, object_pairs_hook=lambda pairs: repeated.append(len(dict(pairs)) < len(pairs)))
    return any(repeated)
