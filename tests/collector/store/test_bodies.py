from typing import Any

from chaperone.collector.store.bodies import INLINE_LIMIT, digests, put_back, set_aside, without_data

LARGE = "x" * (INLINE_LIMIT + 1)


def document(data: str, encoding: str = "utf-8") -> dict[str, Any]:
    return {"id": "c", "requestBody": None, "responseBody": {"size": len(data), "encoding": encoding, "data": data}}


def test_a_large_body_leaves_and_comes_back_as_it_was() -> None:
    short, [body] = set_aside(document(LARGE))
    assert "data" not in short["responseBody"] and digests([short]) == [body.digest]
    restored = put_back(short, {body.digest: body.data})
    assert restored["responseBody"]["data"] == LARGE


def test_a_small_body_stays() -> None:
    small = document("x" * INLINE_LIMIT)
    assert set_aside(small) == (small, [])


def test_equal_bodies_have_one_digest_and_others_another() -> None:
    found = {set_aside(document(data, encoding))[1][0].digest for data, encoding in [(LARGE, "utf-8"), (LARGE, "utf-8"), (LARGE, "base64")]}
    assert len(found) == 2


def test_setting_aside_does_not_change_what_it_was_given() -> None:
    given = document(LARGE)
    set_aside(given)
    assert given == document(LARGE)


def test_a_body_that_the_store_does_not_have_is_null_not_missing() -> None:
    short, _ = set_aside(document(LARGE))
    assert put_back(short, {})["responseBody"]["data"] is None


def test_a_document_without_data_keeps_sizes() -> None:
    assert without_data(document("secretive"))["responseBody"] == {"size": 9, "encoding": "utf-8"}


def test_a_repr_shows_no_contents() -> None:
    _, [body] = set_aside(document(LARGE))
    assert "xxx" not in repr(body)
