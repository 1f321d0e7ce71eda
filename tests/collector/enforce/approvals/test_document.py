import json
from dataclasses import replace

from support.approving import ANN, NOW, ONE, TWO, asking, no, yes

from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.document import approval_from, document, vote_document


def test_an_approval_survives_being_stored() -> None:
    book = Book()
    book.ask(asking(1, ONE, TWO), NOW)
    id_ = book.changed[0].id
    book.vote(id_, yes(replace(ANN, how="certificate")))
    book.told(id_, NOW)
    book.vote(id_, no(why="späť"))
    for approval in book.take():
        assert approval_from(json.loads(json.dumps(document(approval)))) == approval


def test_a_vote_says_who_when_how_and_why() -> None:
    assert vote_document(yes(replace(ANN, how="certificate"), why="agreed")) == {
        "who": "user:ann",
        "groups": ["sre"],
        "how": "certificate",
        "approves": True,
        "time": "2027-01-15T08:00:00.000000000Z",
        "why": "agreed",
    }
