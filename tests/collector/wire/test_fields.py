import pytest

from chaperone.collector.wire.fields import split

GOOD = [(":method", "GET"), (":path", "/api"), ("accept", "a"), ("accept", "b")]


def test_pseudo_fields_are_apart_and_the_rest_keeps_its_order() -> None:
    fields = split(GOOD, True)
    assert fields.pseudo == {":method": "GET", ":path": "/api"}
    assert fields.headers == (("accept", "a"), ("accept", "b"))
    assert (fields.unknown, fields.doubts) == (0, ())


@pytest.mark.parametrize(
    ("more", "doubt"),
    [
        ((":method", "PUT"), "a pseudo-field twice or behind other fields"),
        ((":status", "200"), "a pseudo-field twice or behind other fields"),
        (("Accept", "x"), "a field that HTTP/2 does not allow"),
        (("transfer-encoding", "chunked"), "a field that HTTP/2 does not allow"),
        (("x", "a\r\nb: c"), "control characters in a head"),
    ],
)
def test_what_http2_forbids_is_a_doubt(more: tuple[str, str], doubt: str) -> None:
    assert split([*GOOD, more], True).doubts == (doubt,)


def test_the_first_of_two_pseudo_fields_is_kept() -> None:
    assert split([(":path", "/a"), (":path", "/b")], True).pseudo == {":path": "/a"}


def test_unknown_fields_are_counted_and_stay() -> None:
    fields = split([(":path", None), (None, None), (None, "x"), ("accept", None)], True)
    assert (fields.unknown, fields.headers) == (4, ((None, None), (None, "x"), ("accept", None)))


@pytest.mark.parametrize(("value", "length"), [("17", 17), ("x", None), ("", None), ("+1", None), ("²", None), ("9" * 19, None)])
def test_a_declared_length_is_a_number_or_nothing(value: str, length: int | None) -> None:
    assert split([("content-length", value)], True).length == length
