import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.forms.parsed import UnreadableError
from chaperone.collector.kube.forms.yaml_text import DEPTH_LIMIT, NODE_LIMIT, REPEATED_KEY, SECOND_DOCUMENT, parse_yaml

SECRET = b"""
apiVersion: v1
kind: Secret
metadata: {name: db, labels: {a: "1"}}
data:
  password: czNjcjN0LVBhNTV3MHJk
stringData:
  note: |
    two
    lines
"""


def test_a_manifest_is_read_as_json_would_be() -> None:
    assert parse_yaml(SECRET).value == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "labels": {"a": "1"}},
        "data": {"password": "czNjcjN0LVBhNTV3MHJk"},
        "stringData": {"note": "two\nlines\n"},
    }


def test_scalars_are_jsons_and_keys_are_strings() -> None:
    text = b"[1, 0x1f, 1.5, ~, yes, 'yes', 2001-01-01, 1:30, !!str 5, '']"
    assert parse_yaml(text).value == [1, 31, 1.5, None, True, "yes", "2001-01-01", "1:30", "5", ""]
    assert parse_yaml(b"{1: a, true: b, ~: c}").value == {"1": "a", "true": "b", "null": "c"}


def test_json_is_yaml() -> None:
    assert parse_yaml(b'{"a": {"b": "c"}}').value == {"a": {"b": "c"}}
    assert parse_yaml(b"{a: b} # not JSON").value == {"a": "b"}


def test_aliases_and_merges_are_followed() -> None:
    assert parse_yaml(b"a: &x {p: 1}\nb:\n  <<: *x\n  q: 2\nc: *x").value == {"a": {"p": 1}, "b": {"p": 1, "q": 2}, "c": {"p": 1}}


def test_doubts_are_said() -> None:
    assert parse_yaml(b"a: 1\na: 2").doubts == (REPEATED_KEY,)
    assert parse_yaml(b"a: 1\n---\na: 2").doubts == (SECOND_DOCUMENT,)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(UnreadableError, match=f"more than {NODE_LIMIT} nodes"):
        parse_yaml("\n".join(lines).encode())


@pytest.mark.parametrize("text", [b"[" * 100_000, b"- " * 50_000 + b"x", b"{a: " * 10_000])
def test_depth_is_limited(text: bytes) -> None:
    with pytest.raises(UnreadableError, match=f"deeper than {DEPTH_LIMIT}"):
        parse_yaml(text)


@pytest.mark.parametrize("text", [b"a: &a [*a]", b"*x", b"\xff\xfe\xfd", b"a: [", b"{[a]: 1}: 2", b"!local x", b"<<: 1", b"a: \x00"])
def test_what_kubernetes_cannot_read_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableError):
        parse_yaml(text)


@given(st.text(alphabet="ab:-{}[]&*!<>|'\"\n #?,1~", max_size=40))
def test_any_text_is_read_or_unreadable(text: str) -> None:
    try:
        parse_yaml(text.encode())
    except UnreadableError:
        return


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3), st.lists(st.integers(0, 9) | st.text("xyz", max_size=3), max_size=3), max_size=3
    )
)
def test_what_pyyaml_writes_is_read_back(value: dict[str, object]) -> None:
    assert parse_yaml(yaml.safe_dump(value).encode()).value == value
