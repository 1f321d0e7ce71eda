"""Rows → aligned text, as kubectl prints it. Cells are escaped here, so no recorded byte reaches a terminal raw."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chaperone.collector.cli.show.escape import escape

GAP = 3
RESET = "\x1b[0m"
STYLES = {"": "", "bad": "\x1b[31m", "good": "\x1b[32m", "doubtful": "\x1b[33m", "faint": "\x1b[2m", "bold": "\x1b[1m"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and how it looks on a terminal (a key of STYLES)."""

    text: str
    style: str = ""


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell | str]], colour: bool, least: Sequence[int] = ()) -> Iterator[str]:
    """A heading and one line a row. `least`: the columns' smallest widths, for tables that go on."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(width, (name, *(row[at].text for row in cells)))) for at, name in enumerate(columns)]
    widths = [max(pair) for pair in zip(widths, least, strict=True)] if least else widths
    yield _line([Cell(name) for name in columns], widths, False)
    for row in cells:
        yield _line(row, widths, colour)


def painted(text: str, style: str, colour: bool) -> str:
    """Text in a style, or plain."""
    return f"{STYLES[style]}{text}{RESET}" if colour and style else text


def width(text: str) -> int:
    """Columns a text takes: wide East Asian characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _cell(value: Cell | str) -> Cell:
    cell = value if isinstance(value, Cell) else Cell(value)
    return Cell(escape(cell.text), cell.style)


def _line(cells: Sequence[Cell], widths: Sequence[int], colour: bool) -> str:
    padded = [
        painted(cell.text, cell.style, colour) + " " * (size - width(cell.text) + GAP) for cell, size in zip(cells, widths, strict=True)
    ]
    return "".join(padded).rstrip(" ")
