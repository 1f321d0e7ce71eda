"""What is missing or something else is nothing."""

from chaperone.collector.parts import mapping, mappings, text

OBJECT = {"map": {"a": 1}, "list": [{"b": 2}, 3], "text": "x"}


def test_a_part_is_there_or_it_is_empty() -> None:
    assert (mapping(OBJECT, "map"), mapping(OBJECT, "text"), mapping(OBJECT, "none")) == ({"a": 1}, {}, {})
    assert (text(OBJECT, "text"), text(OBJECT, "list"), text(OBJECT, "none")) == ("x", "", "")


def test_a_lists_items_keep_their_places() -> None:
    assert (mappings(OBJECT, "list"), mappings(OBJECT, "map"), mappings(OBJECT, "none")) == ([{"b": 2}, {}], [], [])
