from dataclasses import replace
from typing import Any

from support.approving import ANN, NOW, ONE, TWO, asking, no, yes

from chaperone.collector.cli.show.approval import approval_lines, left, progress, request, row
from chaperone.collector.cli.show.table import Cell
from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.document import document
from chaperone.collector.enforce.approvals.values import Vote

MINUTE = 60 * 10**9


def found(*votes: Vote, **told: Any) -> dict[str, Any]:
    """One that wants one and two people's approval, after these votes."""
    book, one = Book(), asking(1, ONE, TWO)
    book.ask(replace(one, alert=replace(one.alert, approval=told)), NOW)
    for vote in votes:
        book.vote(book.changed[0].id, vote)
    return document(book.changed[-1])


def test_a_row_says_how_it_stands() -> None:
    id_, age, state, rest, given, rule, requester, does = row(found(yes(ANN)), NOW + MINUTE * 3)
    assert (id_, age, state, rest, given, rule) == (found()["id"][:8], "3m", Cell("pending", "doubtful"), "12m", "1/2", "roles")
    assert (requester, does) == ("default:agent", "create clusterroles/all")


def test_what_is_over_has_no_time_left() -> None:
    assert left(found(no()), NOW) == "-" and left(found(), NOW + MINUTE) == "14m"
    assert progress(found(yes(ANN), no())) == "1/2"
    assert request(found(command="ls -l")).endswith(": ls -l")


def test_the_whole_of_it_has_everybody_s_word_and_no_control() -> None:
    lines = list(approval_lines(found(yes(ANN, why="fine\x1b[2J"), no(why="wait"), diff=["~ a: 1 → 2"])))
    whole = "\n".join(lines)
    assert "\x1b" not in whole and "user:ann approves: fine\\x1b[2J ()" in whole and "unix:root denies: wait" in whole
    assert "  ~ a: 1 → 2" in lines and "Decide:" not in lines and "State:       denied until 2027-01-15T08:15:00.000000000Z" in lines
    assert "Decide:" in list(approval_lines(found()))
