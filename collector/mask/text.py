"""Secrets in free text: where they are, and the text without them. Bytes in, bytes out; never by single bytes.

One question is asked first, of all patterns at once, since nearly all text has none. Terminal escapes are taken out before
looking and a secret is replaced with the escapes that it spans.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import accumulate

from chaperone.collector.mask.fingerprint import STAND_IN, Fingerprint, is_masked
from chaperone.collector.mask.glance import may_hold_secrets
from chaperone.collector.mask.known import Known, Origin
from chaperone.collector.mask.masking import BUILT_IN, Masking
from chaperone.collector.mask.patterns import INNOCUOUS, Pattern, compiled, matches_any
from chaperone.collector.mask.worth import parts

Span = tuple[int, int]

# What a terminal shows differently: ECMA-48 §5.4 (CSI, OSC, two-byte escapes), a character rubbed out, and the " \r" by which
# readline wraps what is typed at the right margin.
_ESCAPE = compiled(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Z]|\x1b[=>@-Z\\^_c78]| \r|[^\0\x08\r\n](?:\x08 \x08|\x08\x1b\[K)"
)
# A Secret's manifest inside a text: `kubectl get secret -o yaml` run in a container, a ConfigMap that holds one.
# `data` comes before `kind`, which may be in a later piece: a v1 object that begins with data is taken for a Secret.
_MANIFEST = Pattern(
    "manifest",
    rb"""(?m)"kind"\s*:\s*"Secret(?:List)?"|\bkind:[ \t]*["']?Secret(?:List)?\b|"""
    rb'"apiVersion"\s*:\s*"v1",\s*"data"\s*:|(?:^|\0)[ \t-]*apiVersion: v1\r?\n[ \t]*data:',
)
_DATA = compiled(rb"""(?im)"(?:data|stringData)"\s*:\s*\{([^{}\0]*)|^[ \t-]*(?:data|stringData):[ \t]*\r?\n((?:[ \t]+[^\n\0]*\n?)+)""")
_ENTRY = compiled(rb"""(?m)"[^"]*"\s*:\s*"([^"]*)"|^[ \t]+[^\s:"]+:[ \t]+([^\s|>][^\r\n]*)|^[ \t]+([^\s:"]+)[ \t]*\r?$""")
_STAND_IN = compiled(STAND_IN)
_QUOTES = (b'"', b"'")


class Texts:
    """Finds and replaces under one key. `known`: the secrets that were seen before."""

    def __init__(self, fingerprint: Fingerprint, masking: Masking = BUILT_IN) -> None:
        self.off = masking.off
        self.known = Known()
        self.reading = Origin()  # where what is masked now comes from
        self._fingerprint = fingerprint
        patterns = masking.patterns if _MANIFEST.name in masking.off else (*masking.patterns, _MANIFEST)
        self._patterns = [(pattern.name, compiled(pattern.expression)) for pattern in patterns]
        self._any = matches_any(patterns)
        self._own = masking.own

    def mask(self, text: bytes) -> bytes:
        """The text with its secrets replaced: the same object when there are none."""
        spans = self.spans(text)
        return self.replaced(text, spans) if spans else text

    def mask_text(self, text: str) -> str:
        """As `mask`, for text."""
        encoded = text.encode("utf-8", "surrogatepass")
        masked = self.mask(encoded)
        return text if masked is encoded else masked.decode("utf-8", "surrogatepass")

    def replaced(self, text: bytes, spans: list[Span]) -> bytes:
        """The text with these spans replaced."""
        parts, end = [], 0
        for start, stop in spans:
            parts += [text[end:start], self.stand_in(text[start:stop])]
            end = stop
        return b"".join((*parts, text[end:]))

    def stand_in(self, found: bytes) -> bytes:
        """What takes a secret's place: for one that is known the same in every form."""
        plain = _without_escapes(found)
        return self._fingerprint.mask(self.known.value_of(plain) or plain)

    def learn(self, value: bytes, secret: str) -> None:
        """A secret was seen: look for it from now on."""
        if "known" in self.off:
            return
        origin = replace(self.reading, secret=secret)
        for part in parts(value, lambda text: _merged(self._found(text))):
            self.known.add(part, origin)

    def hits(self, texts: Collection[str]) -> frozenset[str]:
        """Those that may hold a secret, found in one pass over all of them."""
        joined = "\0".join(texts).encode("utf-8", "surrogatepass")
        if joined.count(b"\0") != len(texts) - 1 or _has_escapes(joined) or self._own:
            return frozenset(text for text in texts if self._may_hit(text.encode("utf-8", "surrogatepass")))
        ordered = list(texts)
        hit = frozenset(ordered[index] for index in self._hit_indices(joined))
        known = _numbered(joined, (start for start, _ in self.known.spans(joined)))
        return hit.union(ordered[index] for index in known) if self.known else hit

    def may_hold_secrets(self, raw: bytes) -> bool:
        """Whether JSON as it was sent must be looked at closely."""
        return self._own or may_hold_secrets(raw) or raw in self.known

    def spans(self, text: bytes) -> list[Span]:
        """Where secrets are, in order and without overlap."""
        if _has_escapes(text):
            return self._spans_between_escapes(text)
        return self._plain_spans(text)

    def _plain_spans(self, text: bytes) -> list[Span]:
        found = self._found(text) if self._any.search(text) else ()
        return _merged((*found, *self.known.spans(text))) if found or self.known else []

    def _may_hit(self, text: bytes) -> bool:
        return _has_escapes(text) or self._any.search(text) is not None or text in self.known

    def _hit_indices(self, joined: bytes) -> Iterator[int]:
        position, index, counted = 0, 0, 0
        while match := self._any.search(joined, position):
            start = match.start() + (joined[match.start()] == 0)
            index += joined.count(b"\0", counted, start)
            yield index
            counted = position = joined.find(b"\0", start)
            if position < 0:
                return

    def _found(self, text: bytes) -> Iterator[Span]:
        return (span for _, span in self.named(text))

    def named(self, text: bytes) -> Iterator[tuple[str, Span]]:
        """Where patterns see secrets, each with the pattern's name."""
        for name, pattern in self._patterns:
            if name == _MANIFEST.name:
                yield from ((name, span) for span in (_manifest_values(text) if pattern.search(text) else ()))
                continue
            for match in pattern.finditer(text):
                found = next((span for span in map(match.span, range(1, pattern.groups + 1)) if span[0] >= 0), match.span())
                span = _trimmed(text, found)
                if not (name == "line" and _is_quoted(text, found)) and _is_secret(text[slice(*span)]):
                    yield name, span

    def _spans_between_escapes(self, text: bytes) -> list[Span]:
        escapes = [match.span() for match in _ESCAPE.finditer(text)]
        plain = _without_escapes(text)
        removed = [0, *accumulate(stop - start for start, stop in escapes)]
        borders = [start - gone for (start, _), gone in zip(escapes, removed, strict=False)]
        found = self._plain_spans(plain)
        return [(s + removed[bisect_right(borders, s)], e + removed[bisect_right(borders, e - 1)]) for s, e in found]


def _numbered(joined: bytes, starts: Iterable[int]) -> Iterator[int]:
    """In which of the texts that NULs part each place is."""
    index, counted = 0, 0
    for start in sorted(starts):
        index += joined.count(b"\0", counted, start)
        counted = start
        yield index


def _has_escapes(text: bytes) -> bool:
    return b"\x1b" in text or b"\x08" in text or b" \r" in text


def _without_escapes(text: bytes) -> bytes:
    return bytes(_ESCAPE.sub(b"", text)) if _has_escapes(text) else text


def _trimmed(text: bytes, span: Span) -> Span:
    """Without outer white space, a list's comma and one pair of quotes."""
    start, stop = span
    value = text[start:stop]
    start += len(value) - len(value.lstrip())
    stop -= len(value) - len(value.rstrip(b" \t\r\n,;"))
    if stop - start > 1 and text[start : start + 1] in _QUOTES and text[stop - 1 : stop] == text[start : start + 1]:
        return start + 1, stop - 1
    return start, max(start, stop)


def _is_quoted(text: bytes, span: Span) -> bool:
    """A quoted value that ends before its line does: the pattern for assignments takes it exactly."""
    quote = text[span[0] : span[0] + 1]
    return quote in _QUOTES and quote in text[span[0] + 1 : span[1]]


def _is_secret(value: bytes) -> bool:
    return bool(value) and not is_masked(value) and not INNOCUOUS.fullmatch(value)


def _manifest_values(text: bytes) -> Iterator[Span]:
    for match in _DATA.finditer(text):
        start, stop = match.span(1) if match.group(1) is not None else match.span(2)
        for entry in _ENTRY.finditer(text, start, stop):
            span = next(span for span in map(entry.span, (1, 2, 3)) if span[0] >= 0)
            if _is_secret(text[slice(*_trimmed(text, span))]):
                yield _trimmed(text, span)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
