import pytest

from chaperone.collector.wire.fields import split, status_of, target_doubts

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


def test_a_status_is_three_digits_or_not_known() -> None:
    assert status_of(split([(":status", "200")], True), late=False) == (200, ())
    assert status_of(split([(":status", "2000")], True), late=False) == (None, ("a response without status",))
    assert status_of(split([(None, None)], True), late=True) == (None, ())


def test_a_request_must_say_where_it_goes_in_one_way() -> None:
    assert target_doubts(split(GOOD, True), late=False) == ()
    assert target_doubts(split(GOOD[:1], True), late=False) == ("a request without method or path",)
    assert target_doubts(split(GOOD[:1], True), late=True) == ()
    assert target_doubts(split([*GOOD, (":authority", "a"), ("host", "b")], True), late=True) == ("Host and :authority differ",)


def test_what_is_not_known_may_be_a_pseudo_field() -> None:
    assert split([(":method", "GET"), (None, None), (":path", "/")], True).doubts == ()
    assert split([(":method", "GET"), ("a", None), (":path", "/")], True).doubts == ("a pseudo-field twice or behind other fields",)
