import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.url.query import DROPPED, PAIR_LIMIT, REPEATED, ListOptions, list_options, values


def options(query: str) -> ListOptions:
    return list_options(values(query)[0])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("watch", True),
        ("watch=", True),
        ("watch=1", True),
        ("watch=yes", True),
        ("watch=0", False),
        ("watch=false", False),
        ("watch=FALSE", False),
        ("Watch=true", False),
        ("limit=5", False),
        ("watch=false&watch=true", False),
        ("watch=true&watch=false", True),
        ("%77atch=1", True),
        ("watch=1&limit=x", True),
        ("watch=0&limit=x", False),
    ],
)
def test_watch_is_the_first_value_that_is_not_false(query: str, expected: bool) -> None:
    assert options(query).watch is expected


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("fieldSelector=metadata.name%3Dweb", "web"),
        ("fieldSelector=metadata.name=web", "web"),
        ("fieldSelector=metadata.name==web", "web"),
        ("fieldSelector=metadata.name!=web", ""),
        ("fieldSelector=spec.x=1,metadata.name=web", "web"),
        ("fieldSelector=metadata.name=b,metadata.name=a", "a"),
        ("fieldSelector=metadata.namespace=web", ""),
        ("fieldSelector=metadata.name=.", ""),
        ("fieldSelector=metadata.name=..", ""),
        ("fieldSelector=metadata.name=a%2Fb", ""),
        ("fieldSelector=metadata.name=a%25b", ""),
        ("fieldSelector=metadata.name=a%5C,b", "a,b"),
        ("fieldSelector=metadata.name=web&limit=", ""),
        ("fieldSelector=metadata.name=web&limit=x", ""),
        ("fieldSelector=metadata.name=web&limit=9223372036854775808", ""),
        ("fieldSelector=metadata.name=web&limit=9223372036854775807", "web"),
        ("fieldSelector=metadata.name=web&limit=%2B5", "web"),
        ("fieldSelector=metadata.name=web&timeoutSeconds=1s", ""),
        ("fieldSelector=metadata.name=web&labelSelector=a%20b", ""),
        ("fieldSelector=metadata.name=web&labelSelector=a%20in%20(b,c)", "web"),
        ("fieldSelector=metadata.name=web&labelSelector=", "web"),
        ("fieldSelector=metadata.name=web,bad", ""),
    ],
)
def test_the_field_selector_names_one_object_unless_an_option_is_bad(query: str, name: str) -> None:
    assert options(query).name == name


def test_pairs_that_go_drops_are_said() -> None:
    assert values("a=1;b=2&c=3") == ({"c": ["3"]}, (DROPPED,))
    assert values("a=%zz&c=%41+d") == ({"c": ["A d"]}, (DROPPED,))


def test_a_repeated_option_is_said() -> None:
    assert values("watch=0&watch=1")[1] == (REPEATED,)
    assert values("command=a&command=b")[1] == ()


def test_more_pairs_than_go_reads_are_none() -> None:
    found, doubts = values("&".join(["a=1"] * (PAIR_LIMIT + 1)))
    assert found == {}
    assert len(doubts) == 1
    assert len(values("&".join(["a=1"] * PAIR_LIMIT))[0]["a"]) == PAIR_LIMIT


@given(st.text(alphabet="watchfieldSelector=metadata.name%2F&;,+\\!()", max_size=60))
def test_any_query_has_options(query: str) -> None:
    assert options(query).name not in (".", "..")
