"""What `list` commands have in common: ask, print as a table or documents, and go on as more comes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from chaperone.collector.cli.ask import Whom, answers, ask, say_missing
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.output import Form, documents, is_coloured, say
from chaperone.collector.cli.show.table import Cell, table

Document = dict[str, Any]
FOLLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Listing:
    """A question of the store and how its rows look: `row(document, now)` gives the cells of `columns`; `widths`: what they have at
    least while one follows, () where nobody can."""

    question: str
    things: str
    columns: Sequence[str]
    widths: Sequence[int]
    row: Callable[[Document, int], Sequence[Cell | str]]


@dataclass(frozen=True, slots=True)
class Way:
    """How it is printed."""

    output: Form
    follow: bool = False

    def __post_init__(self) -> None:
        if self.follow and self.output in (Form.JSON, Form.YAML):
            raise typer.BadParameter("--follow goes with -o table or -o jsonl")


def listed(listing: Listing, asked: Whom, given: Mapping[str, Any], way: Way) -> None:
    """Print what there is, the newest last; then what arrives or changes, until interrupted. None in `given` is not asked for."""
    wanted = {name: value for name, value in given.items() if value is not None}
    asking = Asking(listing, asked)
    found = asking.rows(wanted)
    _print(listing, found, way.output)
    if way.follow:
        _follow(asking, wanted, max((row["cursor"] for row in found), default=0), way.output)


def only(listing: Listing, asked: Whom, id_: str) -> Document:
    """The one whose id begins so, as it is stored. CommandError when there is none or several."""
    found = list(ask(asked, listing.question, id=id_.lower(), limit=2))
    if len(found) != 1:
        how_many, things = "no" if not found else "more than one", listing.things
        raise CommandError(f"{how_many} {things.removesuffix('s')}'s id begins with {id_!r}", f"chaperone {things} list shows them")
    return as_stored(found[0])


def as_stored(row: Document) -> Document:
    """A row's document as it is stored."""
    return {key: value for key, value in row.items() if key not in ("cursor", "at")}


def _print(listing: Listing, found: list[Document], output: Form) -> None:
    if output is not Form.TABLE:
        documents(map(as_stored, found), output)
    elif found:
        say(_table(listing, found, ()))
    else:
        typer.echo(f"No {listing.things} found.", err=True)


@dataclass(slots=True)
class Asking:
    """Over and over. `silent`: who did not answer the last time; who is so for long is named once."""

    listing: Listing
    asked: Whom
    silent: list[str] = field(default_factory=list)

    def rows(self, given: Mapping[str, Any]) -> list[Document]:
        """The next answer."""
        before, self.silent = self.silent, []
        found = list(answers(self.asked, self.listing.question, given, self.silent.extend))
        say_missing(sentence for sentence in self.silent if sentence not in before)
        return found


def _follow(asking: Asking, wanted: Document, cursor: int | str, output: Form) -> None:
    """A row is printed again when more of it is known."""
    listing = asking.listing
    try:
        while True:
            time.sleep(FOLLOW_S)
            news = asking.rows(wanted | {"after": cursor})
            cursor = max((row["cursor"] for row in news), default=cursor)
            if output is Form.JSONL:
                documents(map(as_stored, news), Form.JSONL)
            elif news:
                say(_table(listing, news, listing.widths)[1:])
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _table(listing: Listing, found: list[Document], widths: Sequence[int]) -> list[str]:
    now = time.time_ns()
    return list(table(list(listing.columns), [listing.row(one, now) for one in found], is_coloured(), widths))
