import pytest

from chaperone.collector.mask.document import maskings
from chaperone.collector.mask.masking import Field, Masking
from chaperone.collector.mask.patterns import PATTERNS, Pattern
from chaperone.collector.nodes import PolicyError

FILE = """\
apiVersion: chaperone.dev/v1
kind: Masking
metadata: {name: ours}
patterns:
- name: acme
  match: 'acme_([a-z0-9]{8,})'
fields:
- kind: Database
  path: spec.auth.*["a.b"]
disable: [jwt, names]
"""


def test_a_file_says_patterns_fields_and_what_is_off() -> None:
    ours = tuple(pattern for pattern in PATTERNS if pattern.name != "jwt")
    field = Field(("spec", "auth", "*", "a.b"), "Database", 'spec.auth.*["a.b"]')
    acme = Pattern("acme", b"acme_([a-z0-9]{8,})")
    assert maskings(FILE, "f") == Masking((acme, *ours), (field,), frozenset({"jwt", "names"}))


def test_documents_of_a_file_are_joined() -> None:
    both = maskings(f"{FILE}---\n" + FILE.replace("acme", "other").replace("[jwt, names]", "[known]"), "f")
    assert [pattern.name for pattern in both.patterns[:2]] == ["acme", "other"] and both.off == {"jwt", "names", "known"}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("chaperone.dev/v1", "v2", "f:1: apiVersion: expected chaperone.dev/v1, found 'v2'"),
        ("kind: Masking", "kind: Policy", "f:2: kind: expected Masking, found 'Policy'"),
        ("patterns:", "pattern:", "f:4: pattern: unknown key; expected one of apiVersion, kind"),
        ("name: acme", "name: jwt", "f:5: patterns[0].name: expected a name"),
        ("name: acme", "name: A b", "f:5: patterns[0].name: expected a name"),
        ("{8,})", "{8,}", "f:6: patterns[0].match: expected an RE2 pattern, found one that can't be used: missing )"),
        ("acme_([a-z0-9]{8,})", "(?=x)", "f:6: patterns[0].match: expected an RE2 pattern"),
        ("acme_([a-z0-9]{8,})", "x*", "f:6: patterns[0].match: expected an RE2 pattern, found one that can't be used: it matches where"),
        ("acme_([a-z0-9]{8,})", "x" * 2001, "f:6: patterns[0].match: expected at most 2000 characters"),
        ('spec.auth.*["a.b"]', ".spec", "f:9: fields[0].path: expected keys such as"),
        ('spec.auth.*["a.b"]', "spec..x", "f:9: fields[0].path: expected keys such as"),
        ("  path: spec", "  paths: spec", "f:9: fields[0].paths: unknown key"),
        ("[jwt, names]", "[jwt, nothing]", "f:10: disable[1]: expected the name of a built-in (chaperone mask list), found 'nothing'"),
        ("fields:", "- {name: acme, match: x}\nfields:", "f:7: patterns[1]: expected each name once"),
    ],
)
def test_a_mistake_is_told_with_line_and_key(old: str, new: str, complaint: str) -> None:
    with pytest.raises(PolicyError) as caught:
        maskings(FILE.replace(old, new), "f")
    assert str(caught.value).startswith(complaint)


def test_an_empty_file_is_a_mistake() -> None:
    with pytest.raises(PolicyError, match="expected a document of kind Masking"):
        maskings("# nothing\n", "f")


def test_there_is_a_limit() -> None:
    many = "".join(f"- {{name: a{n}, match: b}}\n" for n in range(201))
    with pytest.raises(PolicyError, match="at most 200 patterns"):
        maskings(f"apiVersion: chaperone.dev/v1\nkind: Masking\npatterns:\n{many}", "f")
