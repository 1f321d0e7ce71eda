"""Secrets in request targets. Only what is secret is replaced; every other byte stays, escapes and query order included."""

from collections.abc import Iterator
from itertools import accumulate
from urllib.parse import unquote_to_bytes

from chaperone.collector.mask.argv import argv_spans
from chaperone.collector.mask.fingerprint import is_masked
from chaperone.collector.mask.patterns import compiled
from chaperone.collector.mask.text import Span, Texts

# Query names whose value is a credential, besides names that end like a secret's: OAuth, AWS SigV4, Azure and GCS signed URLs.
_TOKEN_LIKE = compiled(
    rb"(?i)[\w.\[\]-]*(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|credential|signature|authorization|assertion|jwt)"
    rb"|sig|code_verifier|auth|key|pwd|pass|x-amz-security-token|sessionid|session"
)
_COMMANDS = frozenset((b"command", b"cmd"))
_ENCODED = compiled(rb"(?s)%[0-9A-Fa-f]{2}|.")


def mask_url(texts: Texts, target: str) -> str:
    """The target without its secrets: the same object when it has none."""
    raw = target.encode("utf-8", "surrogatepass")
    path = raw.partition(b"?")[0]
    spans = list(_mapped(path, 0, texts.spans(unquote_to_bytes(path))))
    if len(path) < len(raw):
        spans += _query_spans(texts, raw, len(path) + 1)
    return _replaced(texts, raw, spans) if spans else target


def _query_spans(texts: Texts, raw: bytes, start: int) -> list[Span]:
    fields = list(_fields(raw, start))
    values = [_decoded(value) for _, _, value in fields]
    commands = [index for index, (name, _, _) in enumerate(fields) if name in _COMMANDS]
    of_commands = dict(zip(commands, argv_spans(texts, [values[index] for index in commands]), strict=True))
    spans: list[Span] = []
    for index, (name, start, value) in enumerate(fields):
        found = of_commands[index] if index in of_commands else _value_spans(texts, name, values[index])
        spans += _mapped(value, start, found)
    return spans


def _fields(raw: bytes, position: int) -> Iterator[tuple[bytes, int, bytes]]:
    """Each field's decoded name, where its raw value starts, and that value; without `=` the whole field is a value."""
    for field in raw[position:].split(b"&"):
        name, equals, value = field.partition(b"=")
        yield (_decoded(name), position + len(name) + 1, value) if equals else (b"", position, field)
        position += len(field) + 1


def _value_spans(texts: Texts, name: bytes, value: bytes) -> list[Span]:
    if _TOKEN_LIKE.fullmatch(name) and value:
        return [] if is_masked(value) else [(0, len(value))]
    return texts.spans(value)


def _decoded(raw: bytes) -> bytes:
    """`+` is a space and `%41` an A, as Go's url.QueryUnescape; what is no escape stays."""
    return unquote_to_bytes(raw.replace(b"+", b" ")) if b"%" in raw or b"+" in raw else raw


def _mapped(raw: bytes, start: int, spans: list[Span]) -> Iterator[Span]:
    """Spans of the decoded text as spans of the raw one."""
    if spans:
        borders = [start, *accumulate((len(unit) for unit in _ENCODED.findall(raw)), initial=start)][1:]
        yield from ((borders[first], borders[last]) for first, last in spans)


def _replaced(texts: Texts, raw: bytes, spans: list[Span]) -> str:
    parts, end = [], 0
    for start, stop in sorted(spans):
        parts += [raw[end:start], texts.stand_in(_decoded(raw[start:stop]))]
        end = stop
    return b"".join((*parts, raw[end:])).decode("utf-8", "surrogatepass")
