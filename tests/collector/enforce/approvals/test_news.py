from support.approving import ANN, BOB, LIFE, NOW, TWO, asking, no, yes

from chaperone.collector.enforce.alert import alert_from, document
from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.news import likeness_of, news


def told(book: Book) -> list[str]:
    return [alert.message for one in book.take() if (alert := news(one))]


def test_each_change_is_told_once_in_its_own_words() -> None:
    book = Book()
    book.ask(asking(1, TWO), NOW)
    id_ = book.changed[0].id
    assert told(book) == ["secrets <read> & more"]
    book.told(id_, NOW)
    assert told(book) == [], "a client was told to retry"
    book.vote(id_, yes(ANN, why="fine"))
    book.vote(id_, yes(BOB, why="{me} too"))
    book.ask(asking(2, TWO), NOW)
    first, second, third = told(book)
    assert first.startswith("approved by user:ann: fine (more are wanted). It was: secrets")
    assert second.startswith("approved by user:bob: {me} too. It was: ")
    assert third.startswith("used: the request has passed. It was: ")


def test_ends_that_nobody_wanted_are_told_too() -> None:
    book = Book()
    for number, end in enumerate(("lapse", "left", "deny", "unused")):
        book.ask(asking(number, binding=f"{number:064x}"), NOW)
        id_ = book.changed[-1].id
        book.take()
        if end == "left":
            book.left(id_, NOW)
        elif end == "deny":
            book.vote(id_, no(why="no"))
        elif end == "unused":
            book.vote(id_, yes())
            book.take()
        if end in ("lapse", "unused"):
            book.lapse(NOW + 2 * LIFE)
        [text] = told(book)
        assert text.startswith(
            {"lapse": "nobody decided", "left": "withdrawn", "deny": "denied by unix:root: no", "unused": "approved, but not used"}[end]
        )


def test_it_says_what_can_be_done_and_its_id_is_of_the_change() -> None:
    book = Book()
    book.ask(asking(1), NOW)
    pending = book.take()[0]
    approved = book.vote(pending.id, yes())
    first, second = news(pending, " --store /s"), news(approved)
    assert first and second
    short = pending.id[:12]
    assert first.approval["decide"] == [
        f"chaperone approvals approve {short} --reason … --store /s",
        f"chaperone approvals deny {short} --reason … --store /s",
        f"chaperone approvals show {short} --store /s",
    ]
    assert second.approval["decide"] == [f"chaperone approvals deny {short} --reason …", f"chaperone approvals show {short}"]
    assert first.id != second.id and likeness_of(pending) != likeness_of(approved)
    assert news(pending, " --store /s") == first == alert_from(document(first))
