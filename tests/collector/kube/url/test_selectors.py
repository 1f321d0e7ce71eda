import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.url.selectors import BadSelectorError, check_labels, field_terms

# apimachinery pkg/labels/selector_test.go, TestSelectorParse and TestParserLookahead, plus the validation rules
GOOD = [
    "",
    "x=a,y=b,z=c",
    "x!=a,y=b",
    "x=",
    "x= ",
    "x=,z= ",
    "x= ,z= ",
    "!x",
    "x>1",
    "x>1,z<5",
    "x,!y",
    "x in (a,b)",
    "x in (a,,b)",
    "x in ()",
    "x in (,)",
    "x notin (a)",
    "in in (in)",
    "notin=in",
    "a.b/c=d",
    "x==a",
    "  x  =  a  ",
    "x=a\x00)))",
]
BAD = ["x=a||y=b", "x==a==b", "!x=a", "x<a", "x in", "x in (", "x in (a", "x in a", "x (a)", ",", "x,", "=", "!", "x=!y", "x=a b", "-x=a"]
BAD += ["x=-a", "x=" + "a" * 64, "a" * 64 + "=b", "A.b/c=d", "/c=d", "a/b/c=d", "x in (a b)", "x in (a=b)", "!!x", "x>", "x=(a)"]


@pytest.mark.parametrize("selector", GOOD)
def test_label_selectors_that_the_apiserver_takes(selector: str) -> None:
    check_labels(selector)


@pytest.mark.parametrize("selector", BAD)
def test_label_selectors_that_it_refuses(selector: str) -> None:
    with pytest.raises(BadSelectorError):
        check_labels(selector)


# apimachinery pkg/fields/selector_test.go
@pytest.mark.parametrize(
    ("selector", "terms"),
    [
        ("", []),
        (",", []),
        ("x=a,y=b,z=c", [("x", "a"), ("y", "b"), ("z", "c")]),
        ("x!=a,y==b", [("y", "b")]),
        ("x=", [("x", "")]),
        ("x=a\\,b", [("x", "a,b")]),
        ("x=a\\=b", [("x", "a=b")]),
        ("x=a\\\\", [("x", "a\\")]),
        ("z=1,a=2", [("a", "2"), ("z", "1")]),
    ],
)
def test_field_terms_in_the_servers_order(selector: str, terms: list[tuple[str, str]]) -> None:
    assert field_terms(selector) == terms


@pytest.mark.parametrize("selector", ["x", "x=a=b", "x=a\\b", "x=a\\", "x==a==b", "x=a,b"])
def test_field_selectors_that_it_refuses(selector: str) -> None:
    with pytest.raises(BadSelectorError):
        field_terms(selector)


@given(st.text(alphabet="ab=!<>(),\\ innot\x00-./", max_size=40))
def test_any_selector_is_taken_or_refused(selector: str) -> None:
    for parse in (check_labels, field_terms):
        try:
            parse(selector)
        except BadSelectorError:
            continue
