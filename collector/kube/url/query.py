"""A raw query as Go's url.Values and the apiserver's ListOptions read it.

Sources: Go 1.27 net/url parseQuery (a pair with `;` or a bad escape is dropped, over 10 000 pairs nothing is read);
apimachinery pkg/apis/meta/v1 zz_generated.conversion.go (Convert_url_Values_To_v1_ListOptions) and pkg/runtime/conversion.go.
"""

import re
from dataclasses import dataclass

from chaperone.collector.kube.url.selectors import BadSelectorError, check_labels, field_terms
from chaperone.collector.kube.url.target import text_of, unescape, wire_bytes

PAIR_LIMIT = 10_000  # Go's urlmaxqueryparams
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NEEDS_DECODING = re.compile(r"[%+\x80-\U0010ffff]")
_NUMBER = re.compile(r"[+-]?[0-9]+\Z")  # strconv.ParseInt, base 10
_SINGLE = ("watch", "fieldSelector", "labelSelector", "limit", "sendInitialEvents", "timeoutSeconds")
DROPPED = "a query pair that Go drops"
REPEATED = "a query option is repeated; the first counts"

Values = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What decides a list's verb and name. `name`: of `fieldSelector=metadata.name=…`, "" without."""

    watch: bool
    name: str = ""


def values(query: str) -> tuple[Values, tuple[str, ...]]:
    """The pairs in order, and why another reader may see others."""
    found: Values = {}
    if query.count("&") >= PAIR_LIMIT:
        return found, (f"over {PAIR_LIMIT} query pairs, which Go does not read",)
    pairs = [pair for pair in query.split("&") if pair]
    kept = [pair for pair in pairs if ";" not in pair and not _BAD_ESCAPE.search(pair)]
    for pair in kept:
        key, _, value = pair.partition("=")
        found.setdefault(_decode(key), []).append(_decode(value))
    repeated = any(len(found.get(name, ())) > 1 for name in _SINGLE)
    return found, (DROPPED,) * (len(kept) < len(pairs)) + (REPEATED,) * repeated


def list_options(pairs: Values) -> ListOptions:
    """What the apiserver decodes. When any option is bad, only the raw `watch` counts."""
    watch = _truth(pairs.get("watch"))
    try:
        for name in ("timeoutSeconds", "limit"):
            _check_number(pairs.get(name))
        check_labels(_first(pairs, "labelSelector"))
        terms = field_terms(_first(pairs, "fieldSelector"))
    except BadSelectorError:
        return ListOptions(watch)
    names = (value for field, value in terms if field == "metadata.name")
    return ListOptions(watch, _segment(next(names, "")))


def _decode(text: str) -> str:
    if not _NEEDS_DECODING.search(text):
        return text
    return text_of(unescape(wire_bytes(text.replace("+", " "))))


def _first(pairs: Values, name: str) -> str:
    return pairs[name][0] if name in pairs else ""


def _truth(given: list[str] | None) -> bool:
    """Convert_Slice_string_To_bool: only absence, "false" and "0" are false."""
    return bool(given) and (given or [""])[0].lower() not in ("false", "0")


def _check_number(given: list[str] | None) -> None:
    if given is not None and not (_NUMBER.match(given[0]) and -(1 << 63) <= int(given[0][:25]) < 1 << 63):
        raise BadSelectorError("no 64-bit number")


def _segment(name: str) -> str:
    """IsValidPathSegmentName (apimachinery pkg/api/validation/path)."""
    return "" if name in (".", "..") or "/" in name or "%" in name else name
