"""Which part of a secret is looked for elsewhere: what is long and random enough to be no word, name, number, address or date.

A Secret also holds user names, hosts and ports; masking those wherever they appear would hide the recording and not the secret.
So `postgres`, `admin123`, `db.prod.svc:5432` and 20260101 never count, nor does a certificate, and a password made of plain
words is masked where it stands and not recognised elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator

from chaperone.collector.mask.fingerprint import is_masked
from chaperone.collector.mask.patterns import INNOCUOUS, compiled

SHORTEST = 8  # bytes
DISTINCT = 6  # different bytes
LONGEST = 64 << 10  # bytes of one value that are looked at
WHOLE = 96  # bytes; what is longer counts in blocks
BLOCK = 48

_LETTERS = rb"(?:[a-z]+|[A-Z]+|[A-Z][a-z]+|(?:[A-Z]?[a-z]{2,})(?:[A-Z][a-z]{2,})+)"
_PLAIN = compiled(
    rb"(?:" + _LETTERS + rb"[0-9]{0,4}|[0-9]+)(?:[-._/:@ ,=]+(?:" + _LETTERS + rb"[0-9]{0,4}|[0-9]+))*[-._/: !]*"  # words, names, hosts
    rb"|[-+0-9.,:/ TZ]+"  # numbers, addresses, dates
    rb"|(?i:[a-z][a-z0-9+.-]*://[\w.\[\]:-]+[/\w.-]*)"  # an address without a password
)
_UNSPEAKABLE = compiled(rb"(?i)[bcdfghjklmnpqrstvwxz]{5}|[aeiou]{5}")
_LINE = compiled(rb"[\r\n\0]+")
_PAIR = compiled(rb"""(?m)^[ \t-]*["']?[\w./-]+["']?[ \t]*[=:][ \t]*["']?([^\s"',]{8,})|"((?:[^"\\\r\n]|\\[^\r\n]){8,})\"""")
_PACKED = (b"H4sI", b"\x1f\x8b")  # gzip: a helm release, whose own values count
_STRUCTURED = ((b"{", b"}"), (b"[", b"]"), (b"-----BEGIN", b"-"), (b"<", b">"))

Find = Callable[[bytes], Iterable[tuple[int, int]]]


def parts(value: bytes, find: Find) -> Iterator[bytes]:
    """What of a secret's value is worth looking for. `find`: where the patterns see secrets within it."""
    value = value[:LONGEST].strip()
    if value.startswith(_PACKED):
        return
    if not _is_document(value):
        yield from _blocks(value)
        return
    for start, stop in find(value):
        for line in _LINE.split(value[start:stop]):
            yield from _blocks(line.strip())
    for match in _PAIR.finditer(value):
        yield from _blocks(match.group(1) or match.group(2))


def counts(value: bytes) -> bool:
    """Whether this is a secret by itself and nothing that could stand there by chance."""
    if len(value) < SHORTEST or len(set(value)) < DISTINCT or is_masked(value) or INNOCUOUS.fullmatch(value):
        return False
    return not _PLAIN.fullmatch(value) or (b"." not in value and _UNSPEAKABLE.search(value) is not None)


def _is_document(value: bytes) -> bool:
    """A file with settings, keys or objects: its lines are mostly no secrets."""
    if any(value.startswith(begin) and value.endswith(end) for begin, end in _STRUCTURED):
        return True
    return b"\n" in value and value.isascii() and b"\0" not in value


def _blocks(value: bytes) -> Iterator[bytes]:
    """The value, a long one in blocks of nearly one size."""
    count = 1 if len(value) <= WHOLE else -(-len(value) // BLOCK)
    for index in range(count):
        block = value[index * len(value) // count : (index + 1) * len(value) // count]
        if counts(block):
            yield block
