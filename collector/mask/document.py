"""`kind: Masking` documents → what is masked. A file with one mistake is refused whole."""

from chaperone.collector.mask.fields import DEEPEST
from chaperone.collector.mask.masking import BUILT_INS, Field, Masking, joined, problem_of
from chaperone.collector.mask.patterns import PATTERNS, Pattern, compiled
from chaperone.collector.nodes import Place, PolicyError, documents

API_VERSION = "chaperone.dev/v1"
MOST_PATTERNS = 200
MOST_FIELDS = 1000
LONGEST = 2000  # characters of a pattern

_NAME = compiled(rb"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_KEY = compiled(rb"""\.?([A-Za-z0-9_$-]+|\*)|\["([^"\\]+)"\]|\['([^'\\]+)'\]""")


def maskings(text: str, file: str) -> Masking:
    """What all documents of a file say together. PolicyError at the first mistake."""
    found = [_masking(document) for document in documents(text, file)]
    if not found:
        raise PolicyError(file, 1, "", "expected a document of kind Masking, found none")
    whole = joined(found)
    if len(whole.fields) > MOST_FIELDS or len(whole.patterns) > MOST_PATTERNS:
        raise PolicyError(file, 1, "", f"expected at most {MOST_PATTERNS} patterns and {MOST_FIELDS} fields")
    return whole


def _masking(document: Place) -> Masking:
    keys = document.mapping(("apiVersion", "kind", "metadata", "patterns", "fields", "disable"), ("apiVersion", "kind"))
    for key, wanted in (("apiVersion", API_VERSION), ("kind", "Masking")):
        if keys[key].text() != wanted:
            raise keys[key].error(f"expected {wanted}, found {keys[key].text()[:40]!r}")
    if "metadata" in keys:
        keys["metadata"].mapping(("name",))
    own = _patterns(keys["patterns"]) if "patterns" in keys else ()
    fields = tuple(map(_field, keys["fields"].entries())) if "fields" in keys else ()
    off = frozenset(map(_built_in, keys["disable"].entries())) if "disable" in keys else frozenset[str]()
    return Masking((*own, *PATTERNS), fields, off)


def _patterns(list_: Place) -> tuple[Pattern, ...]:
    found: dict[str, Pattern] = {}
    for entry in list_.entries():
        pattern = _pattern(entry)
        if pattern.name in found:
            raise entry.error(f"expected each name once, found {pattern.name} again")
        found[pattern.name] = pattern
    return tuple(found.values())


def _pattern(entry: Place) -> Pattern:
    keys = entry.mapping(("name", "match"), ("name", "match"))
    name, match = keys["name"].text(), keys["match"].text()
    if not _NAME.fullmatch(name.encode()) or name in BUILT_INS:
        raise keys["name"].error(f"expected a name of lower-case letters, digits, - and . that no built-in has, found {name[:40]!r}")
    if len(match) > LONGEST:
        raise keys["match"].error(f"expected at most {LONGEST} characters, found {len(match)}")
    if problem := problem_of(match.encode()):
        raise keys["match"].error(f"expected an RE2 pattern, found one that can't be used: {problem}")
    return Pattern(name, match.encode())


def _field(entry: Place) -> Field:
    keys = entry.mapping(("path", "kind"), ("path",))
    text = keys["path"].text().encode()
    found = list(_KEY.finditer(text))
    if b"".join(match.group() for match in found) != text or text.startswith(b".") or len(found) > DEEPEST:
        raise keys["path"].error('expected keys such as spec.auth.password, with * for any key and ["a.b"] for one with dots')
    path = tuple((match.group(1) or match.group(2) or match.group(3)).decode() for match in found)
    return Field(path, keys["kind"].text() if "kind" in keys else "", text.decode())


def _built_in(entry: Place) -> str:
    name = entry.text()
    if name not in BUILT_INS:
        raise entry.error(f"expected the name of a built-in (chaperone mask list), found {name[:40]!r}")
    return name
