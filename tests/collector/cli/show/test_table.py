"""Tables are aligned, escaped, and plain unless colours are asked for."""

from chaperone.collector.cli.show.table import Cell, table, width


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert list(table(["NAME", "AGE"], [["a-long-name", "1s"], ["b", "20m"]], colour=False)) == [
        "NAME          AGE",
        "a-long-name   1s",
        "b             20m",
    ]


def test_cells_are_escaped() -> None:
    assert list(table(["A", "B"], [["x\x1b[2J\n", "y"]], colour=False))[1] == "x\\x1b[2J\\n   y"


def test_colour_surrounds_the_text_and_not_the_padding() -> None:
    heading, line = table(["CODE", "B"], [[Cell("404", "bad"), "y"]], colour=True)
    assert heading == "CODE   B"
    assert line == "\x1b[31m404\x1b[0m    y"


def test_wide_characters_count_twice_and_combining_ones_not_at_all() -> None:
    assert width("漢字") == 4
    assert width("e\u0301") == 1
    assert list(table(["A", "B"], [["漢", "y"]], colour=False)) == ["A    B", "漢   y"]


def test_columns_can_have_a_smallest_width() -> None:
    assert list(table(["A", "B"], [["x", "y"]], colour=False, least=(5, 5)))[1] == "x       y"
